package main

import (
	"fmt"
	"slices"

	monitoring "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/apimachinery/pkg/util/validation/field"
	security "k8s.io/pod-security-admission/api"
	"k8s.io/pod-security-admission/policy"

	"k8s.io/kubernetes/pkg/api/legacyscheme"
	"k8s.io/kubernetes/pkg/api/pod"
	"k8s.io/kubernetes/pkg/apis/apps"
	_ "k8s.io/kubernetes/pkg/apis/apps/install"
	appsrules "k8s.io/kubernetes/pkg/apis/apps/validation"
	"k8s.io/kubernetes/pkg/apis/batch"
	_ "k8s.io/kubernetes/pkg/apis/batch/install"
	batchrules "k8s.io/kubernetes/pkg/apis/batch/validation"
	"k8s.io/kubernetes/pkg/apis/core"
	_ "k8s.io/kubernetes/pkg/apis/core/install"
	corev1conversion "k8s.io/kubernetes/pkg/apis/core/v1"
	corerules "k8s.io/kubernetes/pkg/apis/core/validation"
	"k8s.io/kubernetes/pkg/apis/networking"
	_ "k8s.io/kubernetes/pkg/apis/networking/install"
	networkrules "k8s.io/kubernetes/pkg/apis/networking/validation"
	disruption "k8s.io/kubernetes/pkg/apis/policy"
	_ "k8s.io/kubernetes/pkg/apis/policy/install"
	disruptionrules "k8s.io/kubernetes/pkg/apis/policy/validation"
	"k8s.io/kubernetes/pkg/apis/rbac"
	_ "k8s.io/kubernetes/pkg/apis/rbac/install"
	rbacrules "k8s.io/kubernetes/pkg/apis/rbac/validation"
)

var strict = serializer.NewCodecFactory(legacyscheme.Scheme, serializer.EnableStrict)

// judge returns the object with its defaults, in its original version, and the problems a server would report.
func judge(text []byte) (runtime.Object, []string) {
	written, _, err := strict.UniversalDeserializer().Decode(text, nil, nil)
	if err != nil {
		return nil, []string{err.Error()}
	}
	if problems, isOperators := monitoringProblems(written); isOperators {
		return written, problems
	}
	legacyscheme.Scheme.Default(written)
	version := written.GetObjectKind().GroupVersionKind().GroupVersion()
	internal, err := legacyscheme.Scheme.ConvertToVersion(written, runtime.InternalGroupVersioner)
	if err != nil {
		return written, []string{fmt.Sprintf("%s: %v", version, err)}
	}
	problems := []string{}
	for _, refusal := range refusals(internal) {
		problems = append(problems, refusal.Error())
	}
	if template := templateOf(internal); template != nil {
		problems = append(problems, insecure(template)...)
	}
	return written, problems
}

func init() {
	if err := monitoring.AddToScheme(legacyscheme.Scheme); err != nil {
		panic(err)
	}
}

// monitoringProblems checks what the types of the Prometheus operator do not: a custom resource has no other validation
// than its schema, and a server accepts a monitor that selects nothing, and a rule that is both an alert and a recording.
func monitoringProblems(object runtime.Object) ([]string, bool) {
	problems := []string{}
	switch it := object.(type) {
	case *monitoring.ServiceMonitor:
		if len(it.Spec.Selector.MatchLabels) == 0 || len(it.Spec.Endpoints) == 0 {
			problems = append(problems, "spec: selects no Service, or no port of it")
		}
		for _, endpoint := range it.Spec.Endpoints {
			if endpoint.Port == "" {
				problems = append(problems, "spec.endpoints: without a port")
			}
		}
	case *monitoring.PrometheusRule:
		names := []string{}
		for _, group := range it.Spec.Groups {
			if slices.Contains(names, group.Name) {
				problems = append(problems, "spec.groups: two of the name "+group.Name)
			}
			names = append(names, group.Name)
			for _, rule := range group.Rules {
				if (rule.Alert == "") == (rule.Record == "") || rule.Expr.String() == "" {
					problems = append(problems, "spec.groups: in "+group.Name+" a rule that is not one alert or one recording")
				}
			}
		}
	default:
		return nil, false
	}
	return problems, true
}

func refusals(object runtime.Object) field.ErrorList {
	switch it := object.(type) {
	case *apps.Deployment:
		return appsrules.ValidateDeployment(it, pod.GetValidationOptionsFromPodTemplate(&it.Spec.Template, nil))
	case *apps.StatefulSet:
		return appsrules.ValidateStatefulSet(it, pod.GetValidationOptionsFromPodTemplate(&it.Spec.Template, nil))
	case *batch.CronJob:
		template := &it.Spec.JobTemplate.Spec.Template
		return batchrules.ValidateCronJobCreate(it, pod.GetValidationOptionsFromPodTemplate(template, nil))
	case *core.Service:
		// The server does this before validation: a headless Service is written with the one field only.
		if it.Spec.ClusterIP != "" && len(it.Spec.ClusterIPs) == 0 {
			it.Spec.ClusterIPs = []string{it.Spec.ClusterIP}
		}
		return corerules.ValidateServiceCreate(it)
	case *core.ConfigMap:
		return corerules.ValidateConfigMap(it)
	case *core.Secret:
		return corerules.ValidateSecret(it)
	case *core.Namespace:
		return corerules.ValidateNamespace(it)
	case *core.ServiceAccount:
		return corerules.ValidateServiceAccount(it)
	case *rbac.Role:
		return rbacrules.ValidateRole(it)
	case *rbac.RoleBinding:
		return rbacrules.ValidateRoleBinding(it)
	case *networking.NetworkPolicy:
		return networkrules.ValidateNetworkPolicy(it, networkrules.NetworkPolicyValidationOptions{})
	case *disruption.PodDisruptionBudget:
		return disruptionrules.ValidatePodDisruptionBudget(it, disruptionrules.PodDisruptionBudgetValidationOptions{})
	default:
		return field.ErrorList{field.NotSupported(field.NewPath("kind"), fmt.Sprintf("%T", object), []string{"a kind that k8s-check knows"})}
	}
}

func templateOf(object runtime.Object) *core.PodTemplateSpec {
	switch it := object.(type) {
	case *apps.Deployment:
		return &it.Spec.Template
	case *apps.StatefulSet:
		return &it.Spec.Template
	case *batch.CronJob:
		return &it.Spec.JobTemplate.Spec.Template
	default:
		return nil
	}
}

// insecure returns violations of the standard `restricted`, which the namespace enforces.
func insecure(template *core.PodTemplateSpec) []string {
	var spec corev1.PodSpec
	if err := corev1conversion.Convert_core_PodSpec_To_v1_PodSpec(&template.Spec, &spec, nil); err != nil {
		return []string{err.Error()}
	}
	evaluator, err := policy.NewEvaluator(policy.DefaultChecks())
	if err != nil {
		return []string{err.Error()}
	}
	level := security.LevelVersion{Level: security.LevelRestricted, Version: security.LatestVersion()}
	problems := []string{}
	for _, result := range evaluator.EvaluatePod(level, &metav1.ObjectMeta{Annotations: template.Annotations}, &spec) {
		if !result.Allowed {
			problems = append(problems, fmt.Sprintf("restricted: %s: %s", result.ForbiddenReason, result.ForbiddenDetail))
		}
	}
	return problems
}

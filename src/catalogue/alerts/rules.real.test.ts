import assert from 'node:assert/strict'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { leakCheck } from '../../testing/leak-check.ts'
import { programTest } from '../../testing/stack/program-test.ts'
import { alertNames } from './alerts.ts'
import { jobs } from './promql.ts'
import { recordingNames } from './recordings.ts'
import { renderRuleTests, ruleTestLengths } from './rule-tests.ts'
import { renderRules, rulesPage } from './rules.ts'

leakCheck()

const otel = fileURLToPath(new URL('../../../otel', import.meta.url))

const ourJobs = `{job=~"${Object.values(jobs).join('|')}"}`
/** A metric of any Collector in place of that of this stack. */
const anyJob = [/(otelcol_\w+\{job)="/g, '$1=~".*|'] as const

/** The rule of an alert and its recordings: all rules in every case take ten times as long. */
const rulesFor = (name: (typeof alertNames)[number]) => renderRules({ timeFactor: 1, only: [name] })

programTest(
  'promtool accepts the rules, shortened ones included, and rejects a broken one',
  ['promtool'],
  async ({ folder, check }) => {
    const sound = await check('check', 'rules', rulesPage)
    assert.ok(sound.ok, sound.text)
    for (const timeFactor of [0.1, 0.001]) {
      const file = join(folder, `${timeFactor}.yml`)
      await writeFile(file, renderRules({ timeFactor }))
      const shortened = await check('check', 'rules', file)
      assert.ok(shortened.ok, shortened.text)
    }
    const broken = join(folder, 'broken.yml')
    await writeFile(broken, renderRules({ timeFactor: 1 }).replace('sum by', 'sum bye'))
    assert.equal((await check('check', 'rules', broken)).ok, false)
  },
)

programTest(
  'promtool: every alert fires and stays silent as its cases expect',
  ['promtool'],
  async ({ folder, check }) => {
    const files: string[] = []
    for (const name of alertNames) {
      const rules = join(folder, `${name}.rules.yml`)
      await writeFile(rules, rulesFor(name))
      for (const length of ruleTestLengths) {
        const cases = renderRuleTests(length, [name])
        if (!cases.includes('- name:')) continue
        const file = join(folder, `${name}-${length}.yml`)
        await writeFile(file, cases.replace('../rules/mesh.yml', rules))
        files.push(file)
      }
    }
    assert.ok(files.length >= alertNames.length)
    const tested = await check('test', 'rules', ...files)
    assert.ok(tested.ok, tested.text)
  },
)

programTest(
  'promtool: the cases detect a rule that never fires and one that always fires',
  ['promtool'],
  async ({ folder, check }) => {
    const [rules, tests] = [join(folder, 'rules'), join(folder, 'rules-test')]
    await mkdir(rules)
    await mkdir(tests)
    // One case must fail, since all cases of a rule take seconds; with the shipped rules they succeed, as shown above.
    for (const [name, from, to, title] of [
      ['MeshLimitReached', 'mesh.limit.reached"', 'mesh.limit.never"', 'the first span'],
      ['MeshPipelineDown', '} == 0', '} >= 0', 'two scrapes fail'],
      ['MeshPipelineDown', '[1h]', '[1s]', 'each mesh has its own Collector'],
      ['MeshPipelineDown', 'absent(up{job="mesh-jaeger"})', 'absent(up)', 'no Jaeger was ever a target'],
      ['MeshPipelineDown', ourJobs, '', 'targets of someone else'],
      ['MeshCollectorRefusing', ...anyJob, 'someone else'],
      ['MeshCollectorQueueFilling', ...anyJob, 'someone else'],
      ['MeshCollectorQueueFilling', /(jaeger_\w+\{job)="/g, '$1=~".*|', 'someone else'],
      ['MeshCardinalityOverflow', 'mesh_series_limit_by_mesh', 'mesh_series_limit', 'names of spans'],
      ['MeshCardinalityOverflow', ',mesh_id!=""', '', 'someone else'],
      ['MeshNodeSilent', '< bool 11', '< bool 0', 'has no address for five minutes'],
      ['MeshNodeSilent', '< bool 11', '< bool 12', 'a scrape a minute is late or missing'],
      ['MeshNodeSilent', '[70m]', '[1s]', 'has no address for five minutes'],
      [
        'MeshNodeSilent',
        'unless on (mesh_id, instance)',
        'unless on (mesh_id)',
        'at the door of one of two Collectors',
      ],
      [
        'MeshNodeSilent',
        /unless (on \(mesh_id, instance\) .*) > 0/g,
        'and $1 == 0',
        'while the queue of Jaeger is full',
      ],
      ['MeshNodeSilent', '{mesh_id=""} == 1', '{mesh_id=""} == 2', 'a refusal of five minutes'],
      ['MeshNodeSilent', 'incomplete:bool == 1', 'incomplete:bool == 2', 'each mesh has its own Collector'],
      ['MeshNodeSilent', '="MeshNodeSilent"', '="MeshNobodySilent"', 'fell silent before the refusal'],
      [
        'MeshNodeSilent',
        '(pipeline:door_waits:bool',
        '(pipeline:never:bool',
        'spans wait at the door of the Collector',
      ],
      ['MeshPrunerSilent', '{mesh_id=""} == 1', '{mesh_id=""} == 2', 'the Collector ends'],
      ['MeshPrunedRate', '{mesh_id=""} == 1', '{mesh_id=""} == 2', 'five expired while spans waited'],
      ['MeshPrunedRate', '[70m]', '[1s]', 'had no address'],
      ['MeshDoctorFinding', ',mesh_doctor_certainty!="insufficient"', '', 'not enough evidence'],
      ['MeshDoctorFinding', ', mesh_doctor_disease)', ')', 'two diseases of one node'],
    ] as const) {
      const shipped = rulesFor(name)
      const file = join(tests, `${name}.yml`)
      await writeFile(file, renderRuleTests('short', [name]))
      const broken = shipped.replaceAll(from, to)
      assert.notEqual(broken, shipped, `${name} has no ${from}`)
      await writeFile(join(rules, 'mesh.yml'), broken)
      const tested = await check('test', 'rules', '--run', title, file)
      assert.match(tested.text, /FAILED/, `${name}, ${title}, with ${to} for ${from}: ${tested.text}`)
      assert.doesNotMatch(tested.text, /parse error/, `${name}: ${tested.text}`)
    }
  },
)

programTest(
  'promtool accepts the configuration of Prometheus with its rules',
  ['promtool'],
  async ({ folder, check }) => {
    const config = join(folder, 'prometheus.yml')
    const text = await readFile(join(otel, 'prometheus.yml'), 'utf8')
    await writeFile(config, text.replaceAll('/etc/prometheus/rules', dirname(rulesPage)))
    const sound = await check('check', 'config', config)
    assert.ok(sound.ok, sound.text)
    assert.ok(sound.text.includes(`${1 + alertNames.length + recordingNames.length} rules found`), sound.text)
    await writeFile(config, text.replace('scrape_interval', 'scrap_interval'))
    assert.equal((await check('check', 'config', config)).ok, false)
  },
)

programTest(
  'amtool accepts Alertmanager’s configuration and routes both severities, and MeshWatchdog to nobody',
  ['amtool'],
  async ({ folder, check }) => {
    const config = join(otel, 'alertmanager.yml')
    const sound = await check('check-config', config)
    assert.ok(sound.ok, sound.text)
    for (const severity of ['critical', 'warning']) {
      const args = ['config', 'routes', 'test', `--config.file=${config}`, '--verify.receivers=operators']
      const routed = await check(...args, `severity=${severity}`, 'alertname=MeshSeedGiveup')
      assert.ok(routed.ok, routed.text)
    }
    const toNobody = ['config', 'routes', 'test', `--config.file=${config}`, '--verify.receivers=watchdog']
    const routed = await check(...toNobody, 'severity=none', 'alertname=MeshWatchdog')
    assert.ok(routed.ok, routed.text)
    const broken = join(folder, 'alertmanager.yml')
    await writeFile(broken, (await readFile(config, 'utf8')).replace('group_by', 'group_buy'))
    assert.equal((await check('check-config', broken)).ok, false)
  },
)

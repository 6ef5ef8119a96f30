/** Repositories on GitHub by the name that the zoo has for them. */
const repositories: Readonly<Record<string, string>> = {
  'js-gossipsub': 'ChainSafe/js-libp2p-gossipsub',
  'js-libp2p': 'libp2p/js-libp2p',
  'py-libp2p': 'libp2p/py-libp2p',
  'nimbus-eth2': 'status-im/nimbus-eth2',
  memberlist: 'hashicorp/memberlist',
  'dd-trace-js': 'DataDog/dd-trace-js',
  sentry: 'getsentry/sentry-javascript',
}

/**
 * A public issue as a link: `NAME#NUMBER`, or a text with a CVE number.
 *
 * @throws Error for one of an unknown repository
 */
export function issueLink(issue: string): string {
  const [cve] = /CVE-\d+-\d+/.exec(issue) ?? []
  if (cve !== undefined) return `[${issue}](https://www.cve.org/CVERecord?id=${cve})`
  const [name = '', number] = issue.split('#')
  const repository = repositories[name]
  if (repository === undefined || number === undefined) throw new Error(`no repository is known for issue ${issue}`)
  return `[${issue}](https://github.com/${repository}/issues/${number})`
}

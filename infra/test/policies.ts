// Evaluates NetworkPolicies as a cluster does. Knows only the fields that these manifests use, and throws at any other, so
// that a rule is never taken for narrower than it is.

type Labels = Record<string, string>;
type Rule = Record<string, unknown>;
export type Policy = { metadata: { name: string; namespace?: string }; spec: Record<string, unknown> };

/** A pod, or any place outside the cluster. */
export type Place = 'outside' | { namespace: string; labels: Labels; namespaceLabels?: Labels };

/** True if both ends agree: the egress of the source and the ingress of the target. */
export function isAllowed(policies: Policy[], from: Place, to: Place, port: number, protocol = 'TCP'): boolean {
  return side(policies, 'Egress', from, to, port, protocol) && side(policies, 'Ingress', to, from, port, protocol);
}

/** True if the policies that select `pod` allow `peer`, or if none selects it. */
function side(policies: Policy[], type: string, pod: Place, peer: Place, port: number, protocol: string): boolean {
  if (pod === 'outside') return true;
  const selecting = policies.filter((policy) => {
    const { namespace = 'default' } = policy.metadata;
    const { podSelector, policyTypes, ingress, egress } = known(policy.spec, [
      'podSelector',
      'policyTypes',
      'ingress',
      'egress',
    ]);
    const types = policyTypes ?? (egress ? ['Ingress', 'Egress'] : ['Ingress']);
    list(ingress).concat(list(egress)).forEach(checkRule);
    return namespace === pod.namespace && list(types).includes(type as never) && selects(podSelector, pod.labels);
  });
  if (selecting.length === 0) return true;
  const key = type === 'Ingress' ? 'from' : 'to';
  return selecting.some(({ metadata: { namespace = 'default' }, spec }) =>
    list(spec[type.toLowerCase()]).some(
      (rule) =>
        (list(rule[key]).length === 0 || list(rule[key]).some((selector) => isPeer(selector, namespace, peer))) &&
        (list(rule.ports).length === 0 || list(rule.ports).some((entry) => isPort(entry, port, protocol))),
    ),
  );
}

/** Throws at unknown fields, also where another rule already allows the connection. */
function checkRule(rule: Rule): void {
  const { from, to, ports } = known(rule, ['from', 'to', 'ports']);
  for (const peer of [...list(from), ...list(to)]) isPeer(peer, '', { namespace: '', labels: {} });
  for (const entry of list(ports)) isPort(entry, 0, '');
}

function isPeer(peer: Rule, namespace: string, place: Place): boolean {
  const { podSelector, namespaceSelector } = known(peer, ['podSelector', 'namespaceSelector']);
  if (!podSelector && !namespaceSelector) throw new Error('a peer selects nothing');
  if (place === 'outside') return false;
  const namespaceLabels = { 'kubernetes.io/metadata.name': place.namespace, ...place.namespaceLabels };
  const isNamespace = namespaceSelector ? selects(namespaceSelector, namespaceLabels) : place.namespace === namespace;
  return isNamespace && selects(podSelector ?? {}, place.labels);
}

function isPort(entry: Rule, port: number, protocol: string): boolean {
  const { port: allowed, protocol: over = 'TCP' } = known(entry, ['port', 'protocol']);
  if (typeof allowed !== 'number' && allowed !== undefined) throw new Error(`not a port number: ${allowed}`);
  return (allowed === undefined || allowed === port) && over === protocol;
}

function selects(selector: unknown, labels: Labels): boolean {
  const { matchLabels = {}, matchExpressions } = known(selector as Rule, ['matchLabels', 'matchExpressions']);
  const equal = Object.entries(matchLabels as Labels).every(([key, value]) => labels[key] === value);
  const expressions = list(matchExpressions).map((expression) => {
    const { key, operator, values } = known(expression, ['key', 'operator', 'values']);
    const value = labels[key as string];
    if (operator === 'Exists') return value !== undefined;
    if (operator === 'DoesNotExist') return value === undefined;
    if (operator === 'In') return list<string>(values).includes(value as string);
    if (operator === 'NotIn') return !list<string>(values).includes(value as string);
    throw new Error(`unknown operator: ${operator}`);
  });
  return equal && expressions.every(Boolean);
}

const list = <T = Rule>(value: unknown) => (value ?? []) as T[];

function known(object: Rule, keys: string[]): Rule {
  const unknown = Object.keys(object).filter((key) => !keys.includes(key));
  if (unknown.length > 0) throw new Error(`not known: ${unknown}`);
  return object;
}

import { describe, expect, test } from '@jest/globals';
import { isAllowed, type Policy } from './policies.ts';

const a = { namespace: 'blog', labels: { app: 'a' } };
const b = { namespace: 'blog', labels: { app: 'b' } };
const stranger = { namespace: 'other', labels: { app: 'a' }, namespaceLabels: { team: 'other' } };
const policy = (spec: Policy['spec'], name = 'p'): Policy => ({ metadata: { name, namespace: 'blog' }, spec });
/** A policy with an ingress rule for b. */
const into = (...ingress: object[]) => policy({ podSelector: { matchLabels: { app: 'b' } }, ingress });
const deny = policy({ podSelector: {}, policyTypes: ['Ingress', 'Egress'] });

describe('policies', () => {
  test('a pod that no policy selects may do everything', () => {
    expect(isAllowed([], a, b, 1)).toBe(true);
    expect(isAllowed([into()], b, a, 1)).toBe(true);
    expect(isAllowed([deny], stranger, 'outside', 1)).toBe(true);
  });

  test('a policy without a rule allows nothing to the pods that it selects', () => {
    for (const [from, to] of [
      [a, b],
      ['outside', b],
      [a, 'outside'],
      [stranger, b],
    ] as const) {
      expect(isAllowed([deny], from, to, 1)).toBe(false);
    }
  });

  test('policies add up, and both sides must allow', () => {
    const out = policy({ podSelector: {}, policyTypes: ['Egress'], egress: [{ to: [{ podSelector: {} }] }] });
    expect(isAllowed([deny, out], a, b, 1)).toBe(false);
    expect(isAllowed([deny, into({ from: [{ podSelector: {} }] })], a, b, 1)).toBe(false);
    expect(isAllowed([deny, out, into({ from: [{ podSelector: {} }] })], a, b, 1)).toBe(true);
  });

  test('a policy of another namespace has no say', () => {
    expect(isAllowed([{ ...deny, metadata: { name: 'p', namespace: 'other' } }], a, b, 1)).toBe(true);
  });

  test('without policyTypes egress is held back only where there is an egress rule', () => {
    expect(isAllowed([policy({ podSelector: {}, ingress: [{}] })], a, 'outside', 1)).toBe(true);
    expect(isAllowed([policy({ podSelector: {}, egress: [{ to: [{ podSelector: {} }] }] })], a, 'outside', 1)).toBe(
      false,
    );
  });

  test.each([
    [{ matchLabels: { app: 'a' } }, true],
    [{ matchLabels: { app: 'a', tier: 'x' } }, false],
    [{ matchExpressions: [{ key: 'app', operator: 'In', values: ['x', 'a'] }] }, true],
    [{ matchExpressions: [{ key: 'app', operator: 'NotIn', values: ['x', 'a'] }] }, false],
    [{ matchExpressions: [{ key: 'app', operator: 'Exists' }] }, true],
    [{ matchExpressions: [{ key: 'app', operator: 'DoesNotExist' }] }, false],
    [{ matchLabels: { app: 'a' }, matchExpressions: [{ key: 'tier', operator: 'Exists' }] }, false],
  ])('a podSelector %j selects a: %s', (podSelector, selected) => {
    expect(isAllowed([into({ from: [{ podSelector }] })], a, b, 1)).toBe(selected);
  });

  test('a podSelector alone means pods of the policy’s own namespace, and never the outside', () => {
    const policies = [into({ from: [{ podSelector: {} }] })];
    expect(isAllowed(policies, stranger, b, 1)).toBe(false);
    expect(isAllowed(policies, 'outside', b, 1)).toBe(false);
  });

  test('a namespaceSelector goes by the labels of the namespace or by its name, and both selectors must match', () => {
    const byName = { matchLabels: { 'kubernetes.io/metadata.name': 'other' } };
    const byTeam = { matchLabels: { team: 'other' } };
    const from = (peer: object) => isAllowed([into({ from: [peer] })], stranger, b, 1);
    expect(from({ namespaceSelector: byName })).toBe(true);
    expect(from({ namespaceSelector: byTeam, podSelector: { matchLabels: { app: 'a' } } })).toBe(true);
    expect(from({ namespaceSelector: byTeam, podSelector: { matchLabels: { app: 'b' } } })).toBe(false);
    expect(isAllowed([into({ from: [{ namespaceSelector: byName }] })], a, b, 1)).toBe(false);
  });

  test('no peers means anybody, no ports any port', () => {
    expect(isAllowed([into({ ports: [{ port: 80 }] })], 'outside', b, 80)).toBe(true);
    expect(isAllowed([into({ ports: [{ port: 80 }] })], 'outside', b, 81)).toBe(false);
    expect(isAllowed([into({})], stranger, b, 1, 'UDP')).toBe(true);
  });

  test('a port is of TCP unless it says otherwise', () => {
    expect(isAllowed([into({ ports: [{ port: 53 }] })], a, b, 53, 'UDP')).toBe(false);
    expect(isAllowed([into({ ports: [{ port: 53, protocol: 'UDP' }] })], a, b, 53, 'UDP')).toBe(true);
  });

  test.each<[string, Policy]>([
    ['an ipBlock', into({}, { from: [{ ipBlock: { cidr: '0.0.0.0/0' } }] })],
    ['a range of ports', into({ ports: [{ port: 1, endPort: 9 }] })],
    ['a port by name', into({ ports: [{ port: 'http' }] })],
    ['a peer that selects nothing', into({ from: [{}] })],
    ['an operator', into({ from: [{ podSelector: { matchExpressions: [{ key: 'app', operator: 'Like' }] } }] })],
    ['a key of a rule', into({ form: [] })],
    ['a key of a policy', policy({ podSelector: {}, inlet: [] })],
  ])('%s is not known, and throws rather than allows', (_, policy) => {
    expect(() => isAllowed([policy], a, b, 1)).toThrow();
  });
});

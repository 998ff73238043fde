// The order of test files: the longest first, so that all workers end at about the same time, and those of the parts, which
// mostly wait, among those of the whole, which keep the processor busy. Jest measures times itself, but a new checkout
// has none; then it would begin with the largest files.
import Sequencer from '@jest/test-sequencer';

/** The files of twenty seconds and more. */
const LONGEST =
  /scripts.test.(start|copies)|e2e.(copies|chaos.chaos|model|foreign|other-languages|lesson-bus|experiments|system-page|tracing|machine|browser-(page|live|journey|away|docs|sign-in))|e2e.faults.(kill-(publisher|delivery)|data-folder|bad-subscriber|late-pushes|disk|damage|safe-retry)|event-bus.test.(dead-letters|kinds|quorum|on-quorum|silence|parked)|infra.test.(observability|manifests)|common.test.outbox|comments.test.unknown-post|gateway-nginx|grader.test.(faults|services)|lessons.test.(lesson|grade-bus)|any-answer|posts.test.main|system-(diagram|log|store|subscriptions)|client.test.(page|submission)[.]|query.test.contract/;
const WHOLE = /[\\/](scripts.test|e2e)[\\/]/;

export default class LongestFirst extends Sequencer {
  sort(tests) {
    const isLong = ({ path }) => LONGEST.test(path);
    const isWhole = ({ path }) => WHOLE.test(path);
    /** Each file with its share of these that come before it. */
    const inOrder = (some) => {
      const sorted = [...super.sort(some.filter(isLong)), ...super.sort(some.filter((test) => !isLong(test)))];
      return sorted.map((test, index) => ({ test, before: index / sorted.length }));
    };
    return [...inOrder(tests.filter(isWhole)), ...inOrder(tests.filter((test) => !isWhole(test)))]
      .sort((a, b) => a.before - b.before)
      .map(({ test }) => test);
  }
}

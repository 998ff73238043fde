// The order of test files: the longest first, so that all workers end at about the same time. Jest measures times itself,
// but a new checkout has none; then it would begin with the largest files.
import Sequencer from '@jest/test-sequencer';

/** The files of twenty seconds and more. */
const LONGEST =
  /scripts.test.(start|copies)|e2e.(copies|chaos.chaos|model|foreign|experiments|system-page|tracing|browser-(page|live|journey|away))|event-bus.test.(dead-letters|kinds|quorum)|gateway-nginx|posts.test.main|system-diagram/;

export default class LongestFirst extends Sequencer {
  sort(tests) {
    const isLong = ({ path }) => LONGEST.test(path);
    const [long, rest] = [tests.filter(isLong), tests.filter((test) => !isLong(test))];
    return [...super.sort(long), ...super.sort(rest)];
  }
}

// Checks a page's accessibility by the rules of axe-core.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Page } from 'playwright-core';
import { root } from '../../scripts/lib/part-process.ts';

const AXE = readFileSync(join(root, 'node_modules/axe-core/axe.min.js'), 'utf8');

type Violation = { id: string; nodes: { target: string[]; failureSummary: string }[] };

/**
 * Returns each violation as a line: the rule, the element, and the remedy. Animations are finished first, because a text
 * that is being faded in has less contrast.
 */
export async function accessibilityViolations(page: Page): Promise<string[]> {
  // Sent through the debugger, which the page's Content-Security-Policy does not concern.
  if (!(await page.evaluate<boolean>(`'axe' in window`))) await page.evaluate(AXE);
  const violations = await page.evaluate<Violation[]>(`{
    for (const animation of document.getAnimations()) {
      if (animation.effect.getComputedTiming().endTime < Infinity) animation.finish();
    }
    axe.run({ resultTypes: ['violations'] }).then(({ violations }) => violations);
  }`);
  return violations.flatMap(({ id, nodes }) =>
    nodes.map(({ target, failureSummary }) => `${id}: ${target.join(' ')}: ${failureSummary.replaceAll(/\s+/g, ' ')}`),
  );
}

// The bus that `npm start -- --bus FOLDER` runs in place of ours: that of a lesson, or one of your own.
import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { basename, join, relative, resolve } from 'node:path';
import { printable } from '@blog/common/core/printable.ts';
import { STEPS, type Step } from '../../lessons/steps.ts';

const root = join(import.meta.dirname, '..', '..');

export type OtherBus = {
  /** An absolute path, and the same for people: from the root of the checkout if it is in it. */
  folder: string;
  name: string;
  main: string;
  /** The name of a data folder of its own: the services' checkpoints are of one particular log. */
  data: string;
  /** Undefined for a bus of one's own. */
  step: Step | undefined;
  /** The step behind it, which names what this bus cannot do. */
  next: Step | undefined;
  /** True if it asks for NATS, by the setting NATS_URL. */
  needsNats: boolean;
};

/**
 * Finds the bus in a folder.
 * @throws if there is no file `bus.ts` in it; the message lists the steps
 */
export function findOtherBus(given: string): OtherBus {
  const folder = resolve(given);
  const main = join(folder, 'bus.ts');
  if (given.trim() === '' || !existsSync(main)) {
    const steps = STEPS.map(({ folder }) => folder).filter((folder) => existsSync(join(root, folder)));
    const why = `there is no file ${printable(join(given, 'bus.ts'))}`;
    throw new Error(`--bus ${printable(given)}: ${why}. Name a folder that has one; the lessons: ${steps.join(', ')}`);
  }
  const path = relative(root, folder).replaceAll('\\', '/');
  const name = path.startsWith('../') ? folder : path;
  const step = STEPS.find((one) => one.folder === name);
  // Two folders of one's own may have the same name.
  const hash = createHash('sha256').update(folder).digest('hex').slice(0, 8);
  return {
    ...{ folder, name, main, step },
    data: `lesson-${basename(folder)}${step ? '' : `-${hash}`}`,
    next: step && STEPS.find(({ number }) => number === step.number + 1),
    needsNats: /\bNATS_URL\b/.test(readFileSync(main, 'utf8')),
  };
}

/** `BUS_LESSON`: what the page tells about this bus, as JSON. */
export const lessonOf = ({ name, step, next }: OtherBus): string =>
  JSON.stringify({ bus: name, step: step?.number, title: step?.title, cannot: next?.before, try: next?.try });

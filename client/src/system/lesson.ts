// The bus of `npm start -- --bus FOLDER`, which the gateway tells of by a mark in the document.

import { fieldsOf, parseJson, textOf } from '../shared/parse.ts';

/** `bus`: its folder. The others are of a lesson's bus: `cannot` and `tries` are sentences; the last step has none. */
export type Lesson = {
  bus: string;
  step: number | undefined;
  title: string;
  cannot: string | undefined;
  tries: string | undefined;
};

/** Reads the mark; undefined if the bus is ours. */
export function readLesson(): Lesson | undefined {
  const mark = document.querySelector<HTMLMetaElement>('meta[name="lesson"]');
  if (!mark) return undefined;
  const { bus, step, title, cannot, try: tries } = fieldsOf(parseJson(mark.content));
  return {
    bus: textOf(bus) ?? '',
    step: typeof step === 'number' ? step : undefined,
    title: textOf(title) ?? '',
    cannot: textOf(cannot),
    tries: textOf(tries),
  };
}

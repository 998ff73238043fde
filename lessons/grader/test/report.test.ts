// The report of a failure: what is drawn, what is escaped, and that it depends on nothing but the run.
import { expect, test } from '@jest/globals';
import { type Check, Failed } from '../check.ts';
import type { Result } from '../grade.ts';
import { Recorder } from '../recorder.ts';
import { renderReport, reportOf } from '../report.ts';

const check: Check = { name: 'kill', part: 'posts', step: 5, title: 'it publishes', plan: {}, run: async () => {} };
const hostile = '<script>alert(1)</script> & "\u202e\u001b[31m';

/** A post that is acknowledged, and lost by a kill. What happens at once is recorded in one order, or in another. */
function lostPost(isLate: boolean): Result {
  const recorder = new Recorder();
  recorder.event('start', 'posts', 'starts');
  const post = recorder.request('caller', 'posts', 'POST /posts post-1', ['post-1']);
  const publish = () => recorder.request('posts', 'bus', `POST /events ${hostile}`, ['post-1']);
  let publication = isLate ? 0 : publish();
  recorder.answer(post, '201');
  if (isLate) publication = publish();
  recorder.event('kill', 'posts', 'kill -9');
  if (!isLate) recorder.answer(publication, 'no answer', 'no answer');
  recorder.event('start', 'posts', 'starts again');
  if (isLate) recorder.answer(publication, 'no answer', 'no answer');
  recorder.event('pause', 'bus', 'is away');
  for (let i = 0; i < (isLate ? 3 : 1); i += 1)
    recorder.answer(recorder.request('posts', 'bus', 'POST /events PostCreated post-2', ['post-2']), '500');
  const failed = new Failed('POST /posts', 'PostCreated', `never published ${hostile}`, ['post-1']);
  return { check, outcome: 'failed', failure: { failed, plan: {}, recorder } };
}

const render = (result: Result) =>
  renderReport(
    reportOf(['--posts', `sh -c '${hostile}'`, '--report', 'a.html'], [result], ['', '0 of 1 checks passed.']),
  );

test('two runs in which the same happened, at once and in another order, give the same file', () => {
  expect(render(lostPost(true))).toBe(render(lostPost(false)));
});

test('what a program says cannot leave its place in the page, nor turn the text around', () => {
  const html = render(lostPost(false));
  expect(html).toContain('&lt;script&gt;alert(1)&lt;/script&gt; &amp; &quot;');
  for (const raw of ['<script', '\u202e', '\u001b']) expect(html).not.toContain(raw);
  expect(html).toContain("default-src 'none'");
  expect(html).not.toMatch(/(src|href)=|url\(|@import/);
});

test('requests, answers, a kill, a pause and the lost write are drawn, for a wide page and for a narrow one', () => {
  const html = render(lostPost(false));
  const drawings = html.match(/<svg[\s\S]*?<\/svg>/g) ?? [];
  expect(drawings).toHaveLength(2);
  for (const drawing of drawings) {
    for (const text of [
      'caller',
      'posts',
      'bus',
      'POST /posts post-1',
      '201',
      'kill -9',
      'starts again',
      'is away',
      '500',
    ])
      expect(drawing).toContain(`>${text}</tspan>`);
    // The request, the answer, the publication and its missing answer are about the lost post.
    expect(drawing.match(/class="band"/g)).toHaveLength(4);
    expect(drawing).toMatch(/class="mark"[^>]*><tspan[^>]*>never published/);
    // The lost answer and the kill.
    expect(drawing.match(/class="cross"/g)).toHaveLength(2);
    expect(drawing).not.toMatch(/NaN|undefined/);
  }
  expect(html).not.toContain('a.html');
});

test('a run of thousands of requests is drawn by its begin, its end, and what is about the lost write', () => {
  const recorder = new Recorder();
  for (let i = 1; i <= 5_000; i += 1)
    recorder.answer(recorder.request('publisher', 'posts', `POST /events post-${i}`, [`post-${i}`]), '200');
  const failed = new Failed('5,000 events', 'all', 'post-2500 is missing', ['post-2500']);
  const html = render({ check, outcome: 'failed', failure: { failed, plan: {}, recorder } });
  for (const n of [1, 2_500, 5_000]) expect(html).toContain(`>POST /events post-${n}</tspan>`);
  expect(html).not.toContain('>POST /events post-1000</tspan>');
  expect(html.length).toBeLessThan(200_000);
});

test('when every check has passed, the report lists them and draws nothing', () => {
  const html = render({ check, outcome: 'passed' });
  expect(html).toContain('Every check has passed.');
  expect(html).toMatch(/posts: it publishes<\/td><td class="outcome"><span aria-hidden="true">✓<\/span> passed/);
  expect(html).not.toContain('<svg');
});

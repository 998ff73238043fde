// A moderation that keeps the contract, and can be given one fault: `node faulty-moderation.ts NAME`. The grader has to find each.
import { once } from 'node:events';
import express from 'express';
import { MODERATION_FAULTS } from './faults.ts';

const { PORT, EVENT_BUS_URL } = process.env;
const [, , fault] = process.argv;
if (fault !== undefined && !MODERATION_FAULTS.some(({ name }) => name === fault))
  throw new Error(`There is no fault ${fault}.`);
const has = (name: (typeof MODERATION_FAULTS)[number]['name']) => fault === name;

let judged = 0;

async function publish(event: object): Promise<boolean> {
  const answer = await fetch(`${EVENT_BUS_URL}/events`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(event),
    signal: AbortSignal.timeout(2_000),
  }).catch(() => undefined);
  return answer !== undefined && (answer.ok || has('takes a 500 of the bus as success'));
}

const app = express();
app.use(express.json({ limit: '1mb' }));
app.post('/events', async (req, res) => {
  const { type, data } = req.body ?? {};
  if (type !== 'CommentCreated') return res.sendStatus(has('refuses types that it does not know') ? 400 : 200);
  if (data?.id === undefined) return res.sendStatus(has('answers 500 to a poison event') ? 500 : 422);
  if (typeof data.id === 'number' && has('refuses numeric ids')) return res.sendStatus(422);
  judged += 1;
  const isBanned = String(data.content).includes('orange') || (has('judges differently the second time') && judged > 1);
  const { id, postId } = data;
  const content = has('alters the content') ? String(data.content).trim() : data.content;
  const verdict = { id, postId, content, status: isBanned ? 'rejected' : 'approved' };
  if (has('leaves the content out')) delete verdict.content;
  const publishing = publish({ id: `${id}/CommentModerated`, type: 'CommentModerated', data: verdict });
  res.sendStatus(has('answers before the bus has the verdict') || (await publishing) ? 200 : 503);
});
await once(app.listen(Number(PORT), '127.0.0.1'), 'listening');

// The classic version of the moderation service, kept as an example of what not to do; see README.md.
import axios from 'axios';
import express from 'express';

const port = Number(process.env.PORT ?? 4003);
const host = process.env.HOST ?? '127.0.0.1';
const bus = process.env.EVENT_BUS_URL ?? 'http://127.0.0.1:4005';

const app = express();
app.use(express.json());

app.post('/events', async (req, res) => {
  const { type, data } = req.body ?? {};
  if (type === 'CommentCreated') {
    // Guard (`?.`): an event may come without its content.
    const status = data.content?.includes('orange') ? 'rejected' : 'approved';
    // Anti-pattern: publishing during a delivery, without storing anything. A comment created while this process is
    // down stays pending for ever; one that is delivered twice is judged twice.
    await axios.post(`${bus}/events`, {
      type: 'CommentModerated',
      data: { id: data.id, postId: data.postId, content: data.content, status },
    });
  }
  res.send({});
});

app.listen(port, host, (error) => {
  if (error) throw error;
  console.log(`listening on http://${host}:${port}`);
});

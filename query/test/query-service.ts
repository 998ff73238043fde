// Starts the query service for tests.
import { defined, NO_BUS, newFolder, Service } from '../../common/test/service.ts';
import { query } from '../src/app.ts';

export const startQuery = (folder = newFolder()) => new Service(defined(query), NO_BUS, folder).open();

export const post = (id: string, data: object = { title: `title of ${id}` }) => ({
  type: 'PostCreated',
  data: { id, ...data },
});
export const comment = (id: string, postId: string, data: object = { content: `content of ${id}` }) => ({
  type: 'CommentCreated',
  data: { id, postId, ...data },
});
export const updated = (id: string, postId: string, status: string, data: object = {}) => ({
  type: 'CommentUpdated',
  data: { id, postId, status, ...data },
});

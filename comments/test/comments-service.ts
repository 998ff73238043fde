// Starts the comments service for tests.
import { defined, NO_BUS, newFolder, Service } from '../../common/test/service.ts';
import { comments } from '../src/app.ts';

/** The comments service, with or without a bus. */
export const startComments = ({ busUrl = NO_BUS, folder = newFolder(), env = {} } = {}) =>
  new Service(defined(comments, env), busUrl, folder).open();

export const postCreated = (id: string) => ({ type: 'PostCreated', data: { id, title: 't' } });

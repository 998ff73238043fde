// Starts the posts service for tests.
import { defined, NO_BUS, newFolder, Service } from '../../common/test/service.ts';
import { posts } from '../src/app.ts';

/** The posts service, with or without a bus. */
export const startPosts = ({ busUrl = NO_BUS, folder = newFolder(), env = {} } = {}) =>
  new Service(defined(posts, env), busUrl, folder).open();

export const UUID_V7 = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

// The process of the posts service.
import { startService } from '@blog/common/run/service.ts';
import { posts } from './app.ts';

await startService(posts);

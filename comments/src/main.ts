// The process of the comments service.
import { startService } from '@blog/common/run/service.ts';
import { comments } from './app.ts';

await startService(comments);

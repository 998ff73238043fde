// The process of the moderation service.
import { startService } from '@blog/common/run/service.ts';
import { moderation } from './app.ts';

await startService(moderation);

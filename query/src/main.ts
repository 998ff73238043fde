// The process of the query service.
import { startService } from '@blog/common/run/service.ts';
import { query } from './app.ts';

await startService(query);

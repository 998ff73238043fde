// The checks of services, in the order in which they are printed.
import type { Check } from '../check.ts';
import { commentsChecks } from './comments.ts';
import { moderationChecks } from './moderation.ts';
import { postsChecks } from './posts.ts';
import { queryChecks } from './query.ts';

export const serviceChecks: Check[] = [...postsChecks, ...commentsChecks, ...queryChecks, ...moderationChecks];

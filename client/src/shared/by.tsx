import type { Author } from './parse.ts';

/** The author of something, if it has one. The name has its own direction. */
export const By = ({ author }: { author: Author | undefined }) =>
  author && (
    <span>
      by <bdi>{author.name}</bdi>
    </span>
  );

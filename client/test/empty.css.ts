/** Replaces every style sheet: the tests check content, not style. */
export {};

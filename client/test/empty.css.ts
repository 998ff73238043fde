/** Stands for every style sheet: the tests look at what is there, not at how it looks. */
export {};

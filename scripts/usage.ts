/** The options of a script; wrong ones are told with the usage, and end it with exit code 2. */
export function optionsOrUsage<T>(parseOptions: () => T, usage: string): T {
  try {
    return parseOptions();
  } catch (error) {
    console.error(`${(error as Error).message}\n${usage}`);
    process.exit(2);
  }
}

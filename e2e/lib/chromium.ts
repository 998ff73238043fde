// Finds an installed browser and starts it, for tests and for the benchmark.
import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { type Browser, chromium } from 'playwright-core';

const ON_PATH = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable', 'microsoft-edge'];
const MAC_APPLICATIONS = ['Google Chrome', 'Chromium', 'Microsoft Edge'];
const ON_WINDOWS = [
  ['Google', 'Chrome', 'Application', 'chrome.exe'],
  ['Microsoft', 'Edge', 'Application', 'msedge.exe'],
];

/** Finds a browser: CHROMIUM if set, else an installed one, on the PATH, in the usual places, or Playwright's own. */
function findBrowser(): string | undefined {
  const { CHROMIUM, PATH = '', HOME = '', ProgramFiles, LOCALAPPDATA, 'ProgramFiles(x86)': x86 } = process.env;
  if (CHROMIUM) return CHROMIUM;
  const folders = PATH.split(delimiter);
  const programs = [ProgramFiles, x86, LOCALAPPDATA].filter((folder) => folder !== undefined);
  const candidates: string[] =
    {
      darwin: MAC_APPLICATIONS.flatMap((name) =>
        ['/', HOME].map((base) => join(base, 'Applications', `${name}.app`, 'Contents', 'MacOS', name)),
      ),
      win32: ON_WINDOWS.flatMap((path) => programs.map((folder) => join(folder, ...path))),
    }[process.platform as string] ?? ON_PATH.flatMap((name) => folders.map((folder) => join(folder, name)));
  return [...candidates, chromium.executablePath()].find((path) => path && existsSync(path));
}

/** The path of the browser; undefined if there is none. */
export const executablePath = findBrowser();

const FLAGS = [
  ...['--disable-gpu', '--disable-quic', '--no-first-run'],
  ...['--disable-background-networking', '--disable-component-update', '--disable-sync'],
  // Chromium's sandbox does not work for root, the user of many containers.
  ...(process.getuid?.() === 0 ? ['--no-sandbox'] : []),
];

/** The maximum wait for what a page is to show, in milliseconds: a slow machine may do much else. */
export const PATIENCE = 120_000;

export async function launch(...flags: string[]): Promise<Browser> {
  if (!executablePath)
    throw new Error(
      'REQUIRE_BROWSER is set, but no browser was found: install Chromium or Chrome, or set CHROMIUM to its path.',
    );
  return chromium.launch({
    executablePath,
    args: [...FLAGS, ...flags],
    timeout: PATIENCE,
    // A signal is the program's own to handle; the browser ends with it.
    ...{ handleSIGINT: false, handleSIGTERM: false, handleSIGHUP: false },
    // Playwright turns the cache off that a person's browser restores pages from.
    ignoreDefaultArgs: ['--disable-back-forward-cache'],
  });
}

// Scripts in titles and comments (XSS), and characters that reverse, hide or cover neighbouring text.
import { expect } from '@jest/globals';
import type { Page } from 'playwright-core';
import { openBlog, test } from '../browser.ts';
import { post, until } from '../lib/http.ts';

const blog = openBlog();

const FORGED = '{"post":{"id":"forged","title":"forged","seq":99,"commentCount":0},"comments":[]}';
const SCRIPTS = [
  `<script>alert('run')</script>`,
  `<img src=x onerror="alert('run')"><img src=https://elsewhere.example/>`,
  `<svg/onload=alert('run')><animate onbegin=alert('run') attributeName=x dur=1s>`,
  `</p></h3></article></ol></main><h1>gone</h1><plaintext>`,
  `"><a href="javascript:alert('run')" autofocus onfocus=alert('run')>here</a>`,
  `javascript:alert('run') https://elsewhere.example/`,
  `<iframe srcdoc="<script>parent.alert('run')</script>"></iframe>`,
  `<style>* { display: none }</style><link rel=stylesheet href=//elsewhere.example>`,
  `<base href=//elsewhere.example><meta http-equiv=refresh content="0;url=//elsewhere.example">`,
  `&lt;script&gt;alert(&#39;run&#39;)&lt;/script&gt; &amp;amp; &#0; %3Cscript%3E`,
  `{{constructor.constructor("alert('run')")()}} \${alert('run')} <%= 7 * 7 %> $& $1`,
  `"}]}; alert('run') //\\" \\u003cscript\\u003e --> ]]> <!--`,
  '{"id":"forged","title":"forged","comments":[],"__proto__":{"title":"forged"}}',
  `a line\n\ndata: ${FORGED}\nid: forged-1\n\nevent: reset\ndata: x\n\n:`,
  `a line\r\n\r\ndata: ${FORGED}\r\rdata: ${FORGED}\u2028\u2028data: x\u2029\u0085:`,
  '__proto__',
];

/** The elements and attribute names without any text, which a text must not add to. */
const SHAPE = `((article) => {
  const shape = (element) => [element.tagName, ...element.getAttributeNames(), ...[...element.children].map(shape)].join(' ');
  return shape(article);
})`;

const texts = (page: Page) => page.locator('.post .comment .text').allTextContents();
const titles = (page: Page) => page.locator('.post h3').allTextContents();
const shapes = (page: Page) => page.evaluate<string[]>(`[...document.querySelectorAll('.post')].map(${SHAPE})`);

async function expectText(page: Page): Promise<void> {
  await until('every verdict', async () => (await texts(page)).length === SCRIPTS.length + 1);
  const shown = ['plain', ...SCRIPTS].reverse();
  expect(await titles(page)).toEqual(shown);
  expect(await texts(page)).toEqual(shown);
  expect(new Set(await shapes(page)).size).toBe(1);
  expect(await page.locator('script').count()).toBe(1);
  expect(await page.title()).toBe('Blog');
  expect(page.url()).toBe(`${blog.url}/`);
}

test('scripts, markup, JSON and stream syntax are shown as text, live and from the list', async () => {
  await blog.comment(await blog.post('plain'), 'plain');
  const page = await blog.open();
  for (const text of SCRIPTS) await blog.comment(await blog.post(text), text);
  await page.getByRole('button', { name: `${SCRIPTS.length} new posts` }).click();
  await expectText(page);
  // The list was read once; everything else came by the stream, which a worker reads.
  const asked = blog.requests.map((url) => new URL(url).pathname).filter((path) => path === '/posts');
  expect(asked).toHaveLength(1);
  await page.reload();
  await expectText(page);
});

const ATTACKS: [what: string, violated: string, attack: string][] = [
  [
    'a script in the page',
    'script-src-elem',
    `root.append(Object.assign(document.createElement('script'), { text: run }))`,
  ],
  ['a handler in markup', 'script-src-attr', `root.innerHTML += '<img src=/icon.svg onload="' + run + '">'`],
  [
    'a javascript: link',
    'script-src-elem',
    `root.append(Object.assign(document.createElement('a'), { href: 'javascript:' + run })), root.lastChild.click()`,
  ],
  [
    'a script from elsewhere',
    'script-src-elem',
    `root.append(Object.assign(document.createElement('script'), { src: elsewhere }))`,
  ],
  [
    'a style',
    'style-src-elem',
    `root.append(Object.assign(document.createElement('style'), { textContent: '* { color: red }' }))`,
  ],
  [
    'an image from elsewhere',
    'img-src',
    `root.append(Object.assign(document.createElement('img'), { src: elsewhere }))`,
  ],
  [
    'a frame from elsewhere',
    'frame-src',
    `root.append(Object.assign(document.createElement('iframe'), { src: elsewhere }))`,
  ],
  ['a message to elsewhere', 'connect-src', `fetch(elsewhere).catch(() => {})`],
  [
    'a form to elsewhere',
    'form-action',
    `root.append(Object.assign(document.createElement('form'), { action: elsewhere })), root.lastChild.submit()`,
  ],
];

test("injected markup would be stopped by the page's Content-Security-Policy", async () => {
  const page = await blog.open();
  const caught: string[] = await page.evaluate(`(async () => {
    const [root, run, elsewhere] = [document.body, 'window.ran = true', 'https://elsewhere.example/'];
    const caught = [];
    document.addEventListener('securitypolicyviolation', (event) => caught.push(event.effectiveDirective));
    for (const attack of [${ATTACKS.map(([, , attack]) => `() => { ${attack} }`)}]) {
      const before = caught.length;
      attack();
      for (const end = Date.now() + 5000; caught.length === before && Date.now() < end; ) await new Promise((next) => setTimeout(next, 10));
    }
    return caught;
  })()`);
  expect(caught).toEqual(ATTACKS.map(([, violated]) => violated));
  expect(await page.evaluate('window.ran')).toBeUndefined();
  expect(page.url()).toBe(`${blog.url}/`);
  for (const problem of blog.takeProblems()) expect(problem).toMatch(/Content Security Policy|another origin/);
});

const STACK = '\u0300\u0301\u0302\u0303\u0316\u0317\u0318\u0319\u0334\u0337'.repeat(18);
const STRANGE: [what: string, title: string, comment?: string][] = [
  ['overrides that are not closed', '\u202etfel ot thgir \u202dand back\u202e'],
  [
    'isolates that are not closed',
    `\u2067\u2066\u2068${'\u2067'.repeat(130)}isolated`,
    `\u2067\u2066${'\u2067'.repeat(900)}isolated`,
  ],
  ['right to left', 'שלום עולם, 12:30 (abc)!', 'مرحبا بالعالم، 12:30 (abc)!\nand a line from left to right'],
  ['nothing to see', '\u200b\u200d\u2060\ufeff'.repeat(40).replace(/\ufeff$/, '\u200b'), '\u200b\u200d'.repeat(1_000)],
  ['nothing but joiners between letters', 'a\u200db'.repeat(66), 'a\u200db'.repeat(150)],
  ['piled up marks', `Z${STACK}`, `Z${STACK}${'Z'.repeat(10)}\n${`X${STACK}`.repeat(8)}`],
  ['one long word', 'W'.repeat(200), 'W'.repeat(300)],
  ['spaces that do not break', 'no\u00a0break'.repeat(22), '\u00a0\u2007\u202fw'.repeat(100)],
  ['joined emoji', '👩\u200d👩\u200d👧\u200d👦🏳️\u200d🌈👍🏽'.repeat(11), '👩\u200d❤️\u200d💋\u200d👨'.repeat(40)],
];

const WRITTEN = `[...document.querySelectorAll('.post h3, .comment .text')]`;

/**
 * The boxes of all elements besides the texts within their article, and whether one of their lines runs right to left.
 */
const PLACES = `(article) => {
  const { left, right } = article.getBoundingClientRect();
  return ['.meta', '.meta time', '.meta span', '.comments', '.comment time', 'label', 'textarea', '.limit', 'button'].map((name) => {
    const element = article.querySelector(name);
    const box = element.getBoundingClientRect();
    const text = document.createRange();
    const [first, last] = [0, (element.firstChild?.length ?? 1) - 1].map((at) => {
      if (!element.firstChild || element.firstChild.nodeType !== 3) return 0;
      text.setStart(element.firstChild, at);
      text.setEnd(element.firstChild, at + 1);
      return text.getBoundingClientRect().left;
    });
    return [name, Math.round(box.left - left), Math.round(right - box.right), first <= last];
  });
}`;

test('characters that reverse, hide or stack change nothing outside their text', async () => {
  await blog.comment(await blog.post('plain'), 'plain');
  const page = await blog.open();
  for (const [, title, comment = title] of STRANGE) await blog.comment(await blog.post(title), comment);
  await page.getByRole('button', { name: `${STRANGE.length} new posts` }).click();
  const articles = `[...document.querySelectorAll('.post')].slice(0, ${STRANGE.length + 1})`;
  const judged = `${articles}.every((article) => article.querySelector('[data-status=approved]'))`;
  await until('every verdict', () => page.evaluate(judged));
  await page.evaluate(`${articles}.forEach((article) => article.querySelector('button').click())`);

  for (const width of [1_000, 320]) {
    await page.setViewportSize({ width, height: 700 });
    const places = (await page.evaluate<unknown[]>(`${articles}.map(${PLACES})`)).reverse();
    for (const [i, [what]] of STRANGE.entries()) expect([what, places[i + 1]]).toEqual([what, places[0]]);
    // Nothing makes the page wider or is cut off at the side.
    expect(await page.evaluate('(scrollTo(9_999, 0), scrollX)')).toBe(0);
    expect(await page.evaluate(`${WRITTEN}.filter((text) => text.scrollWidth > text.clientWidth).length`)).toBe(0);
    // With the boxes of the texts masked, the page looks the same with and without them: nothing is painted outside.
    const mask = [page.locator('.post h3, .comment .text')];
    const look = () => page.screenshot({ fullPage: true, animations: 'disabled', mask });
    const show = (visibility: string) =>
      page.evaluate(`${WRITTEN}.forEach((text) => { text.style.visibility = '${visibility}'; })`);
    // Again if a minute has passed between the two, which changes the times of posts.
    await until('the same look', async () => {
      const seen = await look();
      await show('hidden');
      const without = await look();
      await show('visible');
      return without.equals(seen);
    });
  }
});

test('NUL and lone surrogates are refused by name, and the page shows that beside the field', async () => {
  const id = await blog.post('Commented');
  const rule = 'must not contain NUL or lone surrogates';
  for (const character of ['\0', '\ud83c', '\udf4a']) {
    for (const [field, path] of [
      ['title', '/posts'],
      ['content', `/posts/${id}/comments`],
    ] as const) {
      const { status, body } = await post(blog.url + path, { [field]: `a${character}b` });
      expect([character, status, body.errors]).toEqual([character, 400, [{ field, detail: rule }]]);
    }
  }

  const page = await blog.open();
  await page.evaluate(`{
    const input = document.querySelector('.composer input');
    Object.getOwnPropertyDescriptor(HTMLInputElement.prototype, 'value').set.call(input, 'a\\ud83cb');
    input.dispatchEvent(new Event('input', { bubbles: true }));
  }`);
  await page.getByRole('button', { name: 'Post', exact: true }).click();
  const error = page.getByRole('alert').getByText(`The title ${rule}.`);
  await error.waitFor();
  const described = await page.locator('.composer input').getAttribute('aria-describedby');
  expect(described?.split(' ')).toContain(await error.getAttribute('id'));
  for (const problem of blog.takeProblems()) expect(problem).toMatch(/status of 400/);
});

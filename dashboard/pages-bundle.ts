import { createHash } from 'node:crypto';
import { fileURLToPath } from 'node:url';

/** The pages as a browser runs them. */
export interface Pages {
  readonly script: string;
  readonly style: string;
}

const SOURCES = fileURLToPath(new URL('./pages/', import.meta.url));

/**
 * Bundles the pages from their sources, in memory: nothing that was built before can be out of date, as everything here runs from
 * source. Takes less than a second; done when somebody first looks.
 */
export async function bundlePages(): Promise<Pages> {
  // Loaded only now: who does not look at pages shall not wait for it.
  const esbuild = await import('esbuild');
  const { outputFiles } = await esbuild.build({
    absWorkingDir: SOURCES,
    entryPoints: ['main.tsx', 'style.css'],
    outdir: 'out',
    bundle: true,
    write: false,
    minify: true,
    format: 'iife',
    target: ['es2022'],
    jsx: 'automatic',
    jsxImportSource: 'preact',
    // The user's own tsconfig, where there is one, is none of our business.
    tsconfigRaw: {},
    banner: { js: '/* With Preact (MIT), Observable Plot and D3 (ISC). */' },
    logLevel: 'silent',
  });
  const text = (ending: string): string =>
    outputFiles.find(({ path }) => path.endsWith(ending))?.text ?? '';
  return { script: text('.js'), style: text('.css') };
}

/** The page that the dashboard serves; script and style come beside it. */
export function livePage(): string {
  return page({
    title: 'toolsample',
    head: '<link rel="stylesheet" href="/app.css">',
    body: '<script src="/app.js"></script>',
  });
}

/**
 * A page that has everything in it, data included, and opens from disk. Its policy lets it run this script and use this style and
 * nothing else, whatever a model wrote into the data.
 */
export function standalonePage(pages: Pages, title: string, data: unknown): string {
  const { script, style } = pages;
  if (/<\/script/i.test(script) || /<\/style/i.test(style))
    throw new Error('a script or style ends its own element');
  const policy = [
    "default-src 'none'",
    `script-src '${hashOf(script)}'`,
    `style-src '${hashOf(style)}'`,
    'img-src data:',
    "base-uri 'none'",
    "form-action 'none'",
    "require-trusted-types-for 'script'",
  ].join('; ');
  // As JSON the text cannot hold the beginning of a tag, so that nothing in it can end its element.
  const json = JSON.stringify(data).replaceAll('<', '\\u003c');
  return page({
    title,
    head: `<meta http-equiv="Content-Security-Policy" content="${policy}">\n<style>${style}</style>`,
    body: `<script type="application/json" id="report">${json}</script>\n<script>${script}</script>`,
  });
}

function page(parts: { readonly title: string; readonly head: string; readonly body: string }) {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${escaped(parts.title)}</title>
<link rel="icon" href="data:,">
${parts.head}
</head>
<body>
<div id="app"></div>
<noscript>This page needs JavaScript.</noscript>
${parts.body}
</body>
</html>
`;
}

function hashOf(text: string): string {
  return `sha256-${createHash('sha256').update(text).digest('base64')}`;
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;');
}

import { randomUUID } from 'node:crypto';
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { pathToFileURL } from 'node:url';
import * as esbuild from 'esbuild';
import { removeOld } from './user-cache.js';

/** @typedef {'cli/main.ts' | 'policy/engine/policy-thread.ts'} Entry */

/** @type {Entry[]} Where processes and threads start. */
const ENTRIES = ['cli/main.ts', 'policy/engine/policy-thread.ts'];

/** A process may import another part of its bundle as long as it lives. */
const KEPT_MILLISECONDS = 90 * 86_400_000;

/**
 * Bundles the sources of a package into a folder, unless another process was faster, and removes bundles that nobody has used for
 * months.
 *
 * @param {string} root of the package
 * @param {string} folder `…/sources-<state>`
 * @param {(folder: string) => boolean} isWhole whether a bundle can be used
 */
export async function bundleSources(root, folder, isWhole) {
  const packages = new Set();
  const { outputFiles } = await esbuild.build({
    absWorkingDir: root,
    entryPoints: ENTRIES,
    outbase: root,
    outdir: folder,
    chunkNames: 'parts/[name]-[hash]',
    bundle: true,
    // What is imported when it is needed stays so.
    splitting: true,
    write: false,
    format: 'esm',
    platform: 'node',
    target: 'node20',
    sourcemap: 'linked',
    sourcesContent: false,
    tsconfigRaw: {},
    logLevel: 'silent',
    plugins: [packagesWhereTheyAre(packages), sourcesWhereTheyAre()],
  });
  const making = `${folder}.${randomUUID()}`;
  try {
    const sizes = Object.fromEntries(
      outputFiles.map(({ path, contents }) => [relative(folder, path), contents.length]),
    );
    for (const { path, contents } of outputFiles) {
      const place = join(making, relative(folder, path));
      await mkdir(dirname(place), { recursive: true, mode: 0o700 });
      await writeFile(place, contents);
    }
    await writeFile(
      join(making, 'bundle.json'),
      JSON.stringify({ sizes, packages: [...packages] }),
    );
    await rename(making, folder).catch(async () => {
      if (isWhole(folder)) return;
      await rm(folder, { recursive: true, force: true });
      await rename(making, folder);
    });
  } finally {
    await rm(making, { recursive: true, force: true });
  }
  await removeOld(dirname(folder), /^sources-/, KEPT_MILLISECONDS);
}

/**
 * Packages are not bundled, but imported from where the sources would find them.
 *
 * @param {Set<string>} found their URLs
 * @returns {import('esbuild').Plugin}
 */
function packagesWhereTheyAre(found) {
  return {
    name: 'packages',
    setup(build) {
      build.onResolve({ filter: /^[^./]/ }, ({ path, kind }) => {
        if (kind === 'entry-point') return undefined;
        const url = import.meta.resolve(path);
        if (url.startsWith('file:')) found.add(url);
        return { path: url, external: true };
      });
    },
  };
}

/**
 * A source that looks for a file beside itself finds it there, and not beside the bundle.
 *
 * @returns {import('esbuild').Plugin}
 */
function sourcesWhereTheyAre() {
  return {
    name: 'sources',
    setup(build) {
      build.onLoad({ filter: /\.ts$/ }, async ({ path }) => {
        const source = await readFile(path, 'utf8');
        const url = JSON.stringify(pathToFileURL(path).href);
        return { contents: source.replaceAll('import.meta.url', url), loader: 'ts' };
      });
    },
  };
}

import { execFileSync } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import * as fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { configJson, parseArchitecture } from '../../policy/checkpoint/architecture.ts';
import { folderFiles, weightFiles } from '../../policy/checkpoint/checkpoint-files.ts';
import { readPolicyText } from '../../policy/text/policy-text.ts';
import { TINY, tinyTokenizer } from '../unit/support/tiny-policy.ts';
import { fuzz, FUZZ_TIMEOUT, inTime } from './support/cases.ts';
import { broken, hostileText, hostileValue, nestedText } from './support/hostile-json.ts';
import { refusing } from './support/typed-errors.ts';

const CODES = ['checkpoint', 'tokenizer'] as const;
const CONFIGS = ['llama3-rope', 'qwen2', 'qwen3'].map((family) =>
  fileURLToPath(new URL(`../fixtures/families/${family}/config.json`, import.meta.url)),
);

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'toolsample-fuzz-policy-'));
  await write('config.json', configJson(TINY));
});
afterAll(async () => rm(folder, { recursive: true, force: true }));

async function write(name: string, content: unknown): Promise<string> {
  const path = join(folder, name);
  await writeFile(path, typeof content === 'string' ? content : JSON.stringify(content));
  return path;
}

/** Loads the text side of a policy with these files, and uses it. */
async function useText(tokenizer: unknown, config: unknown, text: string): Promise<boolean> {
  const paths = {
    'config.json': join(folder, 'config.json'),
    'tokenizer.json': await write('tokenizer.json', tokenizer),
    'tokenizer_config.json': await write('tokenizer_config.json', config),
  };
  const used = await refusing(CODES, async () => {
    const policy = await readPolicyText({ paths });
    policy.decode(policy.encodePrompt({ messages: [{ role: 'user', content: text }] }));
    return true;
  });
  return used ?? false;
}

const tokenizerConfig = { bos_token: '<s>', eos_token: '</s>', chat_template: '{{ messages }}' };
const pattern = (regex: string): object => ({
  ...tinyTokenizer(),
  pre_tokenizer: {
    type: 'Sequence',
    pretokenizers: [
      { type: 'Split', pattern: { Regex: regex }, behavior: 'Isolated', invert: false },
      { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: false },
    ],
  },
});

describe("a policy's files", { timeout: FUZZ_TIMEOUT }, () => {
  it('config.json is read or refused, whatever it says', async () => {
    const configs = await Promise.all(
      CONFIGS.map(async (path) => JSON.parse(await readFile(path, 'utf8')) as unknown),
    );
    const json = fc.oneof(...configs.map(broken), hostileValue()).map((v) => JSON.stringify(v));
    await fuzz(fc.oneof(json, hostileText()), async (text) => {
      await refusing(['checkpoint'], async () => inTime(() => parseArchitecture(text)));
    });
  });

  it('tokenizer.json and its configuration are used or refused, whatever they say', async () => {
    const input = fc.record({
      tokenizer: fc.oneof(broken(tinyTokenizer()), broken(pattern('\\s+')), hostileValue()),
      config: fc.oneof(fc.constant(tokenizerConfig), broken(tokenizerConfig), hostileValue()),
      text: hostileText(),
    });
    await fuzz(
      input,
      async ({ tokenizer, config, text }) => {
        await inTime(async () => useText(tokenizer, config, text));
      },
      0.3,
    );
  });

  it('are used as they are when nothing is wrong', async () => {
    expect(await useText(tinyTokenizer(), tokenizerConfig, 'hello')).toBe(true);
    expect(await useText(pattern('\\s+'), tokenizerConfig, 'hello you')).toBe(true);
  });

  it.each([
    ['a pattern that tries all ways to match', pattern('(a+)+$'), `${'a'.repeat(60)}!`],
    ['a pattern that is no pattern', pattern('('), ''],
    ['a pattern of a million letters', pattern(`[^${'\\p{L}'.repeat(200_000)}]`), ''],
    ['a pre-tokeniser nested without end', `{"pre_tokenizer":${nestedText(100_000)}}`, ''],
    ['millions of empty lists', `{"a":[${'[],'.repeat(10_000_000)}[]]}`, ''],
    ['a token that is nothing', { ...tinyTokenizer(), added_tokens: [null] }, ''],
    [
      'an id that is no number',
      { ...tinyTokenizer(), model: { type: 'BPE', vocab: { a: { toString: null } }, merges: [] } },
      '',
    ],
  ])('are refused with %s', async (_what, tokenizer, text) => {
    expect(await useText(tokenizer, tokenizerConfig, text)).toBe(false);
  });

  it('are refused with config.json nested without end, and in few words', async () => {
    for (const text of [nestedText(100_000), `{"model_type": ${nestedText(100_000)}}`]) {
      expect(await refusing(['checkpoint'], () => parseArchitecture(text))).toBeUndefined();
    }
    const long = JSON.stringify({ model_type: 'x'.repeat(1_000_000) });
    expect(await refusing(['checkpoint'], () => parseArchitecture(long))).toBeUndefined();
  });

  it('name no weights outside of the folder', async () => {
    const names = fc.oneof(
      fc.constantFrom<unknown>(
        '../model.safetensors',
        '/etc/passwd',
        'model-00001-of-00002.safetensors/../../x',
        'model-00009-of-00009.safetensors',
        '__proto__',
      ),
      hostileText(),
      hostileValue(),
    );
    await fuzz(
      fc.dictionary(hostileText(), names, { minKeys: 1, maxKeys: 3 }),
      async (map) => {
        const paths = {
          'model-00001-of-00002.safetensors': join(folder, 'x'),
          'model.safetensors.index.json': await write('index.json', { weight_map: map }),
        };
        const files = await refusing(['checkpoint'], async () => weightFiles({ paths }));
        expect(files).toBeUndefined();
      },
      0.3,
    );
  });

  it('are refused when they are pipes, devices, folders or broken links', async () => {
    const place = join(folder, 'odd');
    for (const make of [
      async (path: string) => symlink('/dev/zero', path),
      async (path: string) => symlink('nowhere', path),
      async (path: string) => mkdir(path),
      async (path: string) => execFileSync('mkfifo', [path]),
    ]) {
      await rm(place, { recursive: true, force: true });
      await mkdir(place);
      for (const name of ['config.json', 'model.safetensors'])
        await writeFile(join(place, name), '');
      await make(join(place, 'tokenizer.json'));
      await expect(folderFiles(place)).rejects.toMatchObject({ code: 'checkpoint' });
    }
  });
});

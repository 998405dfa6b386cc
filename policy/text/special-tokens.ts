import { ToolsampleError } from '../../contracts/errors.ts';
import { parseVocabularyFacts } from '../checkpoint/architecture.ts';
import { readConfigJson } from '../checkpoint/base-weights.ts';
import { inBrief } from '../checkpoint/in-brief.ts';
import { readJsonObject, type CheckpointFiles } from '../checkpoint/checkpoint-files.ts';

/** What a checkpoint's JSON files say about its tokenizer. Read without building the tokenizer itself. */
export interface TokenizerFiles {
  /** Parsed `tokenizer.json`. */
  readonly tokenizer: Record<string, unknown>;
  /** Parsed `tokenizer_config.json`; empty when there is none. */
  readonly config: Record<string, unknown>;
  /** Token texts that a chat template may use (`bos_token`, `eos_token`, …). */
  readonly named: { readonly [name: string]: string };
  /** End-of-sequence ids; the first one ends the demonstrations. */
  readonly eosIds: readonly number[];
  /** From `config.json`. */
  readonly contextLength: number;
  readonly vocabularySize: number;
}

/**
 * Reads and checks the tokenizer's files: every id lies inside the policy's vocabulary, and at least one EOS is known.
 * EOS ids are those of `tokenizer_config.json`, `generation_config.json` and `config.json`, in this order.
 * @throws ToolsampleError `tokenizer` (or `checkpoint` for a broken `config.json`)
 */
export async function readTokenizerFiles(files: CheckpointFiles): Promise<TokenizerFiles> {
  const facts = parseVocabularyFacts(await readConfigJson(files));
  const { vocab, contextLength, eosIds: configured } = facts;
  const tokenizer = await readJsonObject(files, 'tokenizer.json', 'tokenizer');
  const config = await readJsonObject(files, 'tokenizer_config.json', 'tokenizer');
  const generation = await readJsonObject(files, 'generation_config.json', 'tokenizer');
  const ids = tokenIds(tokenizer);
  for (const [token, id] of ids) {
    if (Number.isInteger(id) && id >= 0 && id < vocab) continue;
    throw new ToolsampleError(
      'tokenizer',
      `token ${inBrief(token)} has id ${id}, but the policy's vocabulary has ${vocab} ids`,
      {
        at: { file: 'tokenizer.json' },
        hint: 'tokenizer and weights must come from the same checkpoint',
      },
    );
  }
  const named = namedTokens(config);
  const listed = [generation['eos_token_id']].flat().filter((id) => typeof id === 'number');
  const eosText = named['eos_token'];
  const eosOfText = eosText === undefined ? undefined : ids.get(eosText);
  const eosIds = [...new Set([eosOfText ?? [], listed, configured].flat())];
  const foreign = eosIds.find((id) => id < 0 || id >= vocab);
  if (eosIds.length === 0 || foreign !== undefined) {
    const problem =
      foreign === undefined
        ? 'names no end-of-sequence token'
        : `end-of-sequence id ${foreign} is outside the vocabulary of ${vocab}`;
    throw new ToolsampleError('tokenizer', problem, {
      at: { file: 'tokenizer_config.json', field: 'eos_token' },
      hint: 'set eos_token there, or eos_token_id in generation_config.json',
    });
  }
  return { tokenizer, config, named, eosIds, contextLength, vocabularySize: vocab };
}

/** All tokens with their ids: the model's vocabulary and the added tokens. */
function tokenIds(tokenizer: Record<string, unknown>): Map<string, number> {
  const model = tokenizer['model'];
  const vocabulary =
    typeof model === 'object' && model !== null
      ? (model as Record<string, unknown>)['vocab']
      : null;
  const ids = new Map<string, number>();
  if (Array.isArray(vocabulary)) {
    // Unigram models list [token, score] pairs; the id is the position.
    for (const [id, pair] of (vocabulary as unknown[]).entries()) {
      const token: unknown = Array.isArray(pair) ? pair[0] : undefined;
      if (typeof token !== 'string') throw notAToken(pair);
      ids.set(token, id);
    }
  } else if (typeof vocabulary === 'object' && vocabulary !== null) {
    for (const [token, id] of Object.entries(vocabulary)) ids.set(token, idOf(id));
  }
  const added: unknown = tokenizer['added_tokens'];
  for (const token of Array.isArray(added) ? (added as unknown[]) : []) {
    const { content, id } = (token ?? {}) as Record<string, unknown>;
    if (typeof content !== 'string') throw notAToken(token);
    ids.set(content, idOf(id));
  }
  if (ids.size > 0) return ids;
  throw new ToolsampleError('tokenizer', 'has no vocabulary', {
    at: { file: 'tokenizer.json', field: 'model.vocab' },
    hint: 'is it a tokenizer.json of the tokenizers library?',
  });
}

/** What is no number is no id of the vocabulary; the caller says so. */
function idOf(value: unknown): number {
  return typeof value === 'number' ? value : Number.NaN;
}

function notAToken(value: unknown): ToolsampleError {
  return new ToolsampleError('tokenizer', `${inBrief(value)} is not a token with its text`, {
    at: { file: 'tokenizer.json' },
    hint: 'is it a tokenizer.json of the tokenizers library?',
  });
}

function namedTokens(config: Record<string, unknown>): Record<string, string> {
  const named: Record<string, string> = {};
  for (const name of ['bos_token', 'eos_token', 'unk_token', 'pad_token']) {
    const value = config[name];
    // Either the text itself or an AddedToken object.
    const text =
      typeof value === 'object' && value !== null
        ? (value as Record<string, unknown>)['content']
        : value;
    if (typeof text === 'string') named[name] = text;
  }
  return named;
}

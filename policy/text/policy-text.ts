import { Tokenizer } from '@huggingface/tokenizers';
import type { ArtifactRef, ArtifactStore } from '../../contracts/artifacts.ts';
import { ToolsampleError } from '../../contracts/errors.ts';
import type { PolicyText } from '../../contracts/policy.ts';
import { manifestFiles, type CheckpointFiles } from '../checkpoint/checkpoint-files.ts';
import { readChatTemplate } from './chat-template.ts';
import { readTokenizerFiles } from './special-tokens.ts';
import { rustRules } from './tokenizer-rules.ts';

/** The text side of the policy behind a base manifest. @throws ToolsampleError `tokenizer`, or the store's errors */
export async function loadPolicyText(base: ArtifactRef, store: ArtifactStore): Promise<PolicyText> {
  return readPolicyText(await manifestFiles(base, store));
}

/**
 * The text side of a checkpoint. Special tokens are never added by the tokenizer's post-processor: the chat template alone
 * decides what stands around a message.
 * @throws ToolsampleError `tokenizer` when the files are broken or do not fit the policy's vocabulary
 */
export async function readPolicyText(files: CheckpointFiles): Promise<PolicyText> {
  const parts = await readTokenizerFiles(files);
  const render = await readChatTemplate(files, parts);
  const tokenizer = buildTokenizer(parts.tokenizer, parts.config);
  const encode = (text: string): number[] =>
    text === '' ? [] : tokenizer.encode(text, { add_special_tokens: false }).ids;
  const hidden = new Set(parts.eosIds);
  return {
    encodePrompt: (messages) => encode(render(messages, null)),
    encodeCompletion: (text) => [...encode(text), parts.eosIds[0]!],
    decode: (ids) => {
      const visible = ids.filter((id) => !hidden.has(id));
      if (visible.length === 0) return '';
      return tokenizer.decode(visible, {
        skip_special_tokens: true,
        clean_up_tokenization_spaces: false,
      });
    },
    contextLength: parts.contextLength,
    eosIds: parts.eosIds,
  };
}

function buildTokenizer(json: Record<string, unknown>, config: Record<string, unknown>): Tokenizer {
  try {
    const tokenizer = new Tokenizer(rustRules(json), config);
    // A tokenizer that loads but cannot encode is found out here, not in the middle of a run.
    tokenizer.decode(tokenizer.encode('{"a": 1}\n', { add_special_tokens: false }).ids);
    return tokenizer;
  } catch (cause) {
    const reason = String(cause instanceof Error ? cause.message : cause).split('\n', 1)[0]!;
    throw new ToolsampleError('tokenizer', `cannot be used: ${reason}`, {
      at: { file: 'tokenizer.json' },
      hint: 'is it a complete tokenizer.json of the tokenizers library?',
      cause,
    });
  }
}

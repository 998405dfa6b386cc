import { openSession, type Runtime, type Session } from '../graph/session.ts';
import type { Graph } from '../graph/graph.ts';
import type { Weights } from '../models/initial-weights.ts';
import type { ModelTraits } from '../models/model-traits.ts';
import { buildDecodeGraph } from './decode-graph.ts';
import { matrixSpecs, packedMatrix, type Choice, type MatrixPlace } from './graph-interface.ts';
import { buildContinuedPrefillGraph, buildPrefillGraph } from './prefill-graph.ts';

/** The sessions of one architecture, opened when first needed. */
export interface GenerationSessions {
  readonly prefill: (choice: Choice) => Promise<Session>;
  /** Of what follows a part of a prompt that was prefilled. */
  readonly continuedPrefill: (choice: Choice) => Promise<Session>;
  /**
   * @param weights what a session with packed matrices is made of, and `key` a name for their content: as long as it is the
   * same, so is the session.
   */
  readonly decode: (
    choice: Choice,
    place: MatrixPlace,
    weights: Weights,
    key: string | undefined,
  ) => Promise<Session>;
  /** Closes the session with packed matrices: they take as much memory as the weights. */
  readonly forgetWeights: () => Promise<void>;
  /**
   * Closes all sessions, or all but those of a choice: each one's allocator holds the memory of its largest run. They are opened again when
   * they are needed.
   */
  readonly close: (but?: Choice) => Promise<void>;
}

interface PackedSession {
  /** Names its choice and weights. */
  readonly key: string | undefined;
  readonly choice: Choice;
  readonly session: Session;
}

/**
 * Where weights are fed, a session outlives every update of the policy, and feeding copies nothing. Where they are packed, a session
 * belongs to one state of the weights, and the last one is kept.
 */
export function createGenerationSessions(
  traits: ModelTraits,
  runtime: Runtime,
): GenerationSessions {
  const fed = new Map<string, { readonly choice: Choice; readonly session: Promise<Session> }>();
  let packed: PackedSession | null = null;
  const open = (part: string, choice: Choice, build: () => Graph): Promise<Session> => {
    const name = `${part}.${choice}`;
    const known = fed.get(name);
    if (known !== undefined) return known.session;
    const session = openSession(build(), runtime, { name });
    fed.set(name, { choice, session });
    // A lack of memory may pass: whoever asks again opens it again.
    session.catch(() => fed.delete(name));
    return session;
  };
  const forgetWeights = async (): Promise<void> => {
    const session = packed?.session;
    packed = null;
    await session?.release();
  };
  return {
    prefill: (choice) => open('prefill', choice, () => buildPrefillGraph(traits, choice)),
    continuedPrefill: (choice) =>
      open('continued-prefill', choice, () => buildContinuedPrefillGraph(traits, choice)),
    decode: async (choice, place, weights, weightsKey) => {
      if (place === 'fed') {
        return open('decode', choice, () => buildDecodeGraph(traits, choice, place));
      }
      const key = weightsKey === undefined ? undefined : `${choice}.${weightsKey}`;
      if (packed !== null && key !== undefined && packed.key === key) return packed.session;
      await forgetWeights();
      const matrices = new Map(
        matrixSpecs(traits).map(({ name }) => [packedMatrix(name), weights.get(name)!.data]),
      );
      const session = await openSession(buildDecodeGraph(traits, choice, place), runtime, {
        name: `decode.${choice}`,
        data: matrices,
      });
      packed = { key, choice, session };
      return session;
    },
    forgetWeights,
    close: async (but) => {
      if (packed?.choice !== but) await forgetWeights();
      for (const [name, { choice, session }] of fed) {
        if (choice === but) continue;
        fed.delete(name);
        await (await session).release();
      }
    },
  };
}

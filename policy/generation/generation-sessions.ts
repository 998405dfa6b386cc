import { openSession, type Runtime, type Session, type SessionData } from '../graph/session.ts';
import type { Graph } from '../graph/graph.ts';
import type { Weights } from '../models/initial-weights.ts';
import type { ModelTraits } from '../models/model-traits.ts';
import { buildDecodeGraph } from './decode-graph.ts';
import type { Choice } from './graph-interface.ts';
import { exactWeightType } from './int8-linear.ts';
import type { WeightType } from './int8-weights.ts';
import { matrixData, type MatrixPlace } from './matrices.ts';
import { buildContinuedPrefillGraph, buildPrefillGraph } from './prefill-graph.ts';

/** Where a session's matrices are, and what it is made of where it has them itself. */
export interface SessionMatrices {
  readonly place: MatrixPlace;
  readonly weights: Weights;
  /** Names the weights' content: as long as it is the same, so is a session. */
  readonly key: string | undefined;
}

/** The sessions of one architecture, opened when first needed. */
export interface GenerationSessions {
  readonly prefill: (choice: Choice, matrices: SessionMatrices) => Promise<Session>;
  /** Of what follows a part of a prompt that was prefilled. */
  readonly continuedPrefill: (choice: Choice, matrices: SessionMatrices) => Promise<Session>;
  readonly decode: (choice: Choice, matrices: SessionMatrices) => Promise<Session>;
  /** How 8-bit matrices are stored on this processor. */
  readonly weightType: () => Promise<WeightType>;
  /** Closes sessions that have matrices of their own: they take as much memory as the weights. */
  readonly forgetWeights: () => Promise<void>;
  /**
   * Closes all sessions, or all but those of a choice: each one's allocator holds the memory of its largest run. They are opened again when
   * they are needed.
   */
  readonly close: (but?: Choice) => Promise<void>;
}

type Part = 'prefill' | 'continued-prefill' | 'decode';

const BUILDERS: {
  readonly [part in Part]: (traits: ModelTraits, choice: Choice, place: MatrixPlace) => Graph;
} = {
  prefill: buildPrefillGraph,
  'continued-prefill': buildContinuedPrefillGraph,
  decode: buildDecodeGraph,
};

/** A session with matrices of its own. */
interface OwnSession {
  readonly key: string | undefined;
  readonly choice: Choice;
  readonly session: Session;
}

/**
 * Where weights are fed, a session outlives every update of the policy, and feeding copies nothing. Where they are its own, a session
 * belongs to one state of the weights, and the last one of each part is kept.
 */
export function createGenerationSessions(
  traits: ModelTraits,
  runtime: Runtime,
): GenerationSessions {
  const fed = new Map<string, { readonly choice: Choice; readonly session: Promise<Session> }>();
  const own = new Map<Part, OwnSession>();
  /** Rounded once for all parts. */
  let rounded: { readonly key: string; readonly data: SessionData } | null = null;
  let weightType: Promise<WeightType> | null = null;

  const openFed = (part: Part, choice: Choice): Promise<Session> => {
    const name = `${part}.${choice}`;
    const known = fed.get(name);
    if (known !== undefined) return known.session;
    const session = openSession(BUILDERS[part](traits, choice, 'fed'), runtime, { name });
    fed.set(name, { choice, session });
    // A lack of memory may pass: whoever asks again opens it again.
    session.catch(() => fed.delete(name));
    return session;
  };
  const dataOf = (place: Exclude<MatrixPlace, 'fed'>, matrices: SessionMatrices): SessionData => {
    const { weights, key } = matrices;
    if (place === 'packed') return matrixData(traits, place, weights);
    if (rounded !== null && rounded.key === key) return rounded.data;
    // Before the next ones are made: two would be there at once.
    rounded = null;
    const data = matrixData(traits, place, weights);
    rounded = key === undefined ? null : { key, data };
    return data;
  };
  const forget = async (part: Part): Promise<void> => {
    const session = own.get(part)?.session;
    own.delete(part);
    await session?.release();
  };
  const forgetWeights = async (): Promise<void> => {
    rounded = null;
    for (const part of own.keys()) await forget(part);
  };
  const open = async (part: Part, choice: Choice, matrices: SessionMatrices): Promise<Session> => {
    const { place, key } = matrices;
    if (place === 'fed') return openFed(part, choice);
    const name = key === undefined ? undefined : [choice, place, key].join('.');
    const known = own.get(part);
    if (known !== undefined && name !== undefined && known.key === name) return known.session;
    await forget(part);
    const session = await openSession(BUILDERS[part](traits, choice, place), runtime, {
      name: `${part}.${choice}`,
      data: dataOf(place, matrices),
    });
    own.set(part, { key: name, choice, session });
    return session;
  };
  return {
    prefill: async (choice, matrices) => open('prefill', choice, matrices),
    continuedPrefill: async (choice, matrices) => open('continued-prefill', choice, matrices),
    decode: async (choice, matrices) => open('decode', choice, matrices),
    weightType: () => {
      if (weightType !== null) return weightType;
      const found = exactWeightType();
      weightType = found;
      found.catch(() => {
        weightType = null;
      });
      return found;
    },
    forgetWeights,
    close: async (but) => {
      for (const [part, { choice }] of own) {
        if (choice !== but) await forget(part);
      }
      if (own.size === 0) rounded = null;
      for (const [name, { choice, session }] of fed) {
        if (choice === but) continue;
        fed.delete(name);
        await (await session).release();
      }
    },
  };
}

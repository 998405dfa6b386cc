import type { AdamWOptions, TrainableOptions } from '../contracts/policy.ts';
import {
  doneAnswer,
  gradientAnswer,
  newModelAnswer,
  optimizerAnswer,
  savedAnswer,
  type GradientAnswer,
} from './answers.ts';
import type { TinkerClient } from './client.ts';
import { ServiceRefusal } from './refusal.ts';
import type { SavedWeights } from './saved-weights.ts';
import type { OpenSession } from './session.ts';
import type { Datum, LossChoice } from './training-data.ts';
import type { RequestBody, RequestOptions } from './transport.ts';
import { gradientCallBytes, gradientCallJson } from './wire-format.ts';

/** A model under training at a service: adapters, and their optimiser, that only we change. */
export interface ServiceModel {
  readonly id: string;
  /** Adds the gradients of some sequences to those since the last optimiser step. */
  addGradients(
    data: readonly Datum[],
    loss: LossChoice,
    options: RequestOptions,
  ): Promise<GradientAnswer>;
  /** @returns the gradient norm; null where the service does not tell. */
  optimizerStep(optimizer: AdamWOptions, options: RequestOptions): Promise<number | null>;
  /** Saves weights and optimiser state, and weights to sample from. */
  save(options: RequestOptions): Promise<Pick<SavedWeights, 'training' | 'sampler'>>;
  /** Frees what it takes there; a service that does not answer is not waited for. */
  unload(): Promise<void>;
}

export interface ModelStart {
  readonly baseModel: string;
  readonly trainable: TrainableOptions;
  /** What to go on from; null: fresh adapters. */
  readonly from: SavedWeights | null;
}

const SEED_RANGE = 2 ** 31;
const UNLOAD_MS = 5_000;

/** More names than this are taken by nothing that we do. */
const MAX_NAMES = 5;

/**
 * A new model in a session. The calls of a model carry numbers in sequence, by which the service tells a request that is made again, because
 * its answer was lost, from a new one.
 *
 * @throws ServiceRefusal, ToolsampleError `service`
 */
export async function createServiceModel(
  client: TinkerClient,
  session: OpenSession,
  { baseModel, trainable, from }: ModelStart,
  options: RequestOptions,
): Promise<ServiceModel> {
  const lora = { rank: trainable.loraRank, seed: trainable.seed % SEED_RANGE };
  const { model_id: id, request_id: created } = await client.ask(
    'create_model',
    {
      session_id: session.id,
      model_seq_id: session.nextModel(),
      base_model: baseModel,
      lora_config: lora,
      type: 'create_model',
    },
    newModelAnswer,
    options,
  );
  await client.outcome('create_model', created, doneAnswer, options);
  let sequence = 0;
  const numbered = (body: object): object => ({ model_id: id, ...body, seq_id: ++sequence });
  let inProtobuf = true;

  const addGradients: ServiceModel['addGradients'] = async (data, loss, request) => {
    const call = { modelId: id, sequence: ++sequence, data, loss };
    const send = async (body: RequestBody): Promise<GradientAnswer> =>
      client.work('forward_backward', body, gradientAnswer, request);
    if (!inProtobuf) return send(gradientCallJson(call));
    try {
      return await send(gradientCallBytes(call));
    } catch (error) {
      // An older service reads JSON only.
      const unread = error instanceof ServiceRefusal && [415, 422].includes(error.status);
      if (!unread) throw error;
      inProtobuf = false;
      return send(gradientCallJson(call));
    }
  };

  /** Under a name that is not taken: of a save whose answer was lost, a service may remember the name but not the request. */
  const saveAs = async (call: string, request: RequestOptions): Promise<string> => {
    for (let attempt = 1; ; attempt++) {
      const body = numbered({});
      const path = `${call === 'save_weights' ? 'train' : 'sample'}-${sequence}`;
      try {
        return (await client.work(call, { ...body, path }, savedAnswer, request)).path;
      } catch (error) {
        const taken = error instanceof ServiceRefusal && error.status === 409;
        if (!taken || attempt === MAX_NAMES) throw error;
      }
    }
  };

  const model: ServiceModel = {
    id,
    addGradients,
    async optimizerStep(optimizer, request) {
      const { metrics } = await client.work(
        'optim_step',
        numbered({
          adam_params: {
            learning_rate: optimizer.learningRate,
            beta1: optimizer.beta1,
            beta2: optimizer.beta2,
            eps: optimizer.epsilon,
            weight_decay: optimizer.weightDecay,
            grad_clip_norm: optimizer.maxGradNorm,
          },
        }),
        optimizerAnswer,
        request,
      );
      const norm = Object.entries(metrics ?? {}).find(([name]) => name.endsWith('grad_norm'));
      return norm?.[1] ?? null;
    },
    async save(request) {
      return {
        training: await saveAs('save_weights', request),
        sampler: await saveAs('save_weights_for_sampler', request),
      };
    },
    async unload() {
      const signal = AbortSignal.timeout(UNLOAD_MS);
      await client
        .ask('unload_model', { model_id: id }, doneAnswer, { signal })
        .catch(() => undefined);
    },
  };
  if (from !== null) {
    const body = numbered({ path: from.training, optimizer: true });
    await client.work('load_weights', body, doneAnswer, options);
  }
  return model;
}

import { ToolsampleError } from '../contracts/errors.ts';
import type { TrainableOptions } from '../contracts/policy.ts';
import { capabilitiesAnswer } from './answers.ts';
import type { TinkerClient } from './client.ts';
import { isStale, ServiceRefusal } from './refusal.ts';
import type { SavedWeights } from './saved-weights.ts';
import { createServiceModel, type ServiceModel } from './service-model.ts';
import { createServiceSession } from './session.ts';
import type { RequestOptions } from './transport.ts';

/** What was saved of a policy, and the name under which it is known here. */
export interface StoredPolicy {
  /** Hash of the artifact. */
  readonly name: string;
  readonly saved: SavedWeights;
}

/** The one model that we hold at a service, and our session there. */
export interface ServicePolicy {
  /** The service's name for the model beneath. @throws ToolsampleError `config` when `auto` does not tell */
  baseModel(options: RequestOptions): Promise<string>;
  /** A model that stands at this policy (null: fresh adapters): the one we hold, or a new one, loaded from what was saved. */
  standingAt(
    policy: StoredPolicy | null,
    trainable: TrainableOptions,
    options: RequestOptions,
  ): Promise<ServiceModel>;
  /** Training has taken the model we hold to another policy. */
  movedTo(name: string): void;
  /** Where to sample from; saved anew where the service no longer gives what was saved. */
  sampler(policy: StoredPolicy): string;
  saveAnew(
    policy: StoredPolicy,
    trainable: TrainableOptions,
    options: RequestOptions,
  ): Promise<void>;
  /** Gives up the model we hold: nobody knows what it stands at. */
  abandon(): Promise<void>;
  close(): Promise<void>;
}

interface Held {
  readonly model: ServiceModel;
  /** Name of the policy that it stands at; null: fresh adapters. */
  at: string | null;
  readonly adapters: string;
}

export function createServicePolicy(client: TinkerClient, asked: string): ServicePolicy {
  let held: Held | null = null;
  let only: string | null = null;
  const anew = new Map<string, string>();
  const session = createServiceSession(client, () => {
    held = null;
  });

  const baseModel: ServicePolicy['baseModel'] = async (options) => {
    if (asked !== 'auto') return asked;
    if (only !== null) return only;
    const { supported_models: models } = await client.ask(
      'get_server_capabilities',
      null,
      capabilitiesAnswer,
      options,
    );
    const [first] = models;
    if (first !== undefined && models.length === 1) return (only = first.model_name);
    const names = models.slice(0, 20).map(({ model_name: name }) => name);
    throw new ToolsampleError('config', `the training service has ${models.length} models`, {
      at: { field: 'base_model' },
      hint: `name one: ${names.join(', ')}`,
    });
  };

  const open = async (
    policy: StoredPolicy | null,
    trainable: TrainableOptions,
    options: RequestOptions,
  ): Promise<ServiceModel> => {
    const start = {
      baseModel: await baseModel(options),
      trainable,
      from: policy?.saved ?? null,
    };
    requireSameBase(start.baseModel, policy);
    for (let first = true; ; first = false) {
      const opened = await session.open(options);
      try {
        return await createServiceModel(client, opened, start, options);
      } catch (error) {
        if (isGone(error)) throw gone(error);
        if (!first || !isStale(error)) throw error;
        session.drop();
      }
    }
  };

  const abandon = async (): Promise<void> => {
    const left = held;
    held = null;
    await left?.model.unload();
  };

  const standingAt: ServicePolicy['standingAt'] = async (policy, trainable, options) => {
    const at = policy?.name ?? null;
    const adapters = `${trainable.loraRank}/${trainable.seed}`;
    if (held !== null && held.at === at && held.adapters === adapters) return held.model;
    await abandon();
    const model = await open(policy, trainable, options);
    held = { model, at, adapters };
    return model;
  };

  return {
    baseModel,
    standingAt,
    abandon,
    movedTo(name) {
      if (held !== null) held.at = name;
    },
    sampler(policy) {
      const path = anew.get(policy.name) ?? policy.saved.sampler;
      // Services with one place per model sample from it what they then train on.
      if (held !== null && held.at !== policy.name && path.startsWith(`tinker://${held.model.id}/`))
        held = null;
      return path;
    },
    async saveAnew(policy, trainable, options) {
      await abandon();
      const model = await standingAt(policy, trainable, options);
      const { sampler } = await model.save(options);
      anew.clear();
      anew.set(policy.name, sampler);
    },
    async close() {
      await abandon();
      session.close();
    },
  };
}

function requireSameBase(baseModel: string, policy: StoredPolicy | null): void {
  if (policy === null || policy.saved.baseModel === baseModel) return;
  throw new ToolsampleError(
    'config',
    `the training service has the model ${baseModel}, the run trains ${policy.saved.baseModel}`,
    { at: { field: 'base_model' }, hint: 'start the service with the model of the run' },
  );
}

/** What was saved is not there, or does not fit: a model of ours that is lost is another thing. */
function isGone(error: unknown): error is ServiceRefusal {
  if (!(error instanceof ServiceRefusal) || error.call !== 'load_weights') return false;
  return !isStale(error) || /checkpoint/i.test(error.detail);
}

function gone(error: ServiceRefusal): ToolsampleError {
  return new ToolsampleError(
    'not-found',
    `the training service does not load what it saved of the run: ${error.detail}`,
    {
      hint: 'has it lost its checkpoints, or is it another service? `toolsample fork` goes on from an earlier epoch',
      cause: error,
    },
  );
}

import type { JsonValue } from './json.ts';

/** What can be asked of a run under way; each is an update of `trainingRun` of that name. */
export const RUN_REQUESTS = ['pause', 'continue', 'stop', 'cancel', 'set', 'evaluate'] as const;
export type RunRequest = (typeof RUN_REQUESTS)[number];

/** Payload of every request, and optional wherever it says no more than this. */
export interface Asked {
  /** Who asks, for the record: at most {@link LONGEST_NAME} characters. */
  readonly by?: string;
}

/** Payload of `stop`. */
export interface StopAsked extends Asked {
  /** Leave the policy behind as a Hugging Face folder; default true. */
  readonly export?: boolean;
}

/** Payload of `set`. */
export interface SetAsked extends Asked {
  /** Any settings that may change while a run is under way, in any spelling. */
  readonly settings: { readonly [key: string]: JsonValue };
}

export const LONGEST_NAME = 100;
/** Settings of one `set`, and characters of their JSON, at most. */
export const MOST_SETTINGS = 32;
export const LONGEST_SETTINGS = 8192;

/** A setting that changed while its run was under way. */
export interface SettingChange {
  /** Canonical path, e.g. `learningRate` or `sampling.uniformShare`. */
  readonly key: string;
  readonly from: JsonValue;
  readonly to: JsonValue;
  /** First step that has the new value. */
  readonly fromStep: number;
}

/** Answer of every update, and `--json` of the commands. Stable: fields are added, never changed. */
export interface AcceptedRequest {
  readonly run: string;
  readonly request: RunRequest;
  readonly by: string;
  /** Last step that was committed when the request was recorded. */
  readonly step: number;
  /** What `set` changes; empty for the others. */
  readonly changes: readonly SettingChange[];
}

/** A request as it was recorded. */
export interface RequestStatus {
  readonly request: RunRequest;
  readonly by: string;
  readonly at: string;
  /** Last step that was committed when it was accepted. */
  readonly step: number;
  /** What it changed, e.g. `running`, or for `set` an object of the settings. */
  readonly from: JsonValue;
  readonly to: JsonValue;
}

/** Requests that a run shows until it has done what was asked. */
export type PendingRequest = Extract<RunRequest, 'pause' | 'stop' | 'cancel'>;

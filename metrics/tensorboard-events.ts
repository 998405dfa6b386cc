import protobuf from 'protobufjs';
import type { RunMetrics } from '../contracts/metrics.ts';
import { flatRecord, metricsRecords, type MetricsRecord } from './records.ts';
import { tfRecord } from './tf-record.ts';

/** TensorBoard takes files for its own that have `tfevents` in their names. */
export const EVENT_FILE = 'events.out.tfevents.toolsample';

/** The part of TensorFlow's event.proto and summary.proto that scalars need. */
const SCHEMA = `
syntax = "proto2";
message Event { optional double wall_time = 1; optional int64 step = 2; optional string file_version = 3; optional Summary summary = 5; }
message Summary { repeated Value value = 1; }
message Value { optional string tag = 1; optional float simple_value = 2; }
`;

const eventType = protobuf.parse(SCHEMA, { keepCase: true }).root.lookupType('Event');

/**
 * An event file of a run: each number of a step under `train/` (`mastery/`, `weights/` and `scores/` of the sub-tasks beside it),
 * each of an evaluation under `evaluation/SPLIT/`, at the time its step was committed. The same run gives the same bytes.
 */
export function tensorboardEvents(metrics: RunMetrics): Uint8Array {
  const start = seconds(metrics.startedAt);
  const times = new Map(metrics.steps.map(({ step, committedAt }) => [step, seconds(committedAt)]));
  const scalars = metricsRecords(metrics).map((record) => ({
    wall_time: times.get(record.step) ?? start,
    step: record.step,
    summary: { value: values(record) },
  }));
  const events = [{ wall_time: start, file_version: 'brain.Event:2' }, ...scalars];
  return Buffer.concat(events.map((event) => tfRecord(eventType.encode(event).finish())));
}

function values(record: MetricsRecord): { tag: string; simple_value: number }[] {
  return Object.entries(flatRecord(record)).flatMap(([name, value]) => {
    // The step is the event's own; what is no number cannot be drawn.
    if (name === 'step' || value === null || typeof value === 'string') return [];
    return [{ tag: tag(record, name), simple_value: Number(value) }];
  });
}

function tag(record: MetricsRecord, name: string): string {
  const path = name.replace('.', '/');
  if (record.kind === 'evaluation') return `evaluation/${record.split}/${path}`;
  return path === name ? `train/${name}` : path;
}

function seconds(time: string): number {
  return Date.parse(time) / 1000;
}

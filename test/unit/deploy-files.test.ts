import { readFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { acceleratorQueue } from '../../contracts/temporal.ts';
import { artifactLocation } from '../../services/artifacts/artifact-location.ts';
import { temporalSettings } from '../../services/temporal/connection.ts';
import { composeWorkers, readComposeFile } from '../cluster/compose-workers.ts';

const QUEUES = ['light', 'gpu', 'all'];

interface Container {
  readonly args: readonly string[];
}
interface Resource {
  readonly kind: string;
  readonly metadata: { readonly name: string };
  readonly data?: Readonly<Record<string, string>>;
  readonly spec?: {
    readonly template?: { readonly spec: { readonly containers: readonly Container[] } };
    readonly scaleTargetRef?: { readonly name: string };
    readonly triggers?: readonly {
      readonly type: string;
      readonly metadata: Readonly<Record<string, string>>;
    }[];
  };
}

async function resources(file: string): Promise<Resource[]> {
  const text = await readFile(new URL(`../../deploy/kubernetes/${file}`, import.meta.url), 'utf8');
  return parseAllDocuments(text).map((document) => {
    expect(document.errors).toEqual([]);
    return document.toJS() as Resource;
  });
}

/** The variables are ones that our readers take. */
function expectReadable(environment: Readonly<Record<string, string>>): void {
  expect(artifactLocation(environment).kind).toBe('s3');
  expect(temporalSettings(environment).connection?.address).toBe(environment['TEMPORAL_ADDRESS']);
  expect(environment['TOOLSAMPLE_TASK_QUEUE']).not.toBe(undefined);
}

describe('compose.yaml', () => {
  it('has the servers and workers of both queues, who are told the same', async () => {
    const { services } = await readComposeFile();
    for (const name of ['postgres', 'temporal', 'temporal-postgres', 'temporal-ui', 'objects'])
      expect(services).toHaveProperty(name);
    const workers = await composeWorkers();
    expect(workers.map(({ command }) => command.join(' '))).toEqual([
      'worker --task-queue light',
      'worker --task-queue gpu',
    ]);
    for (const { environment } of workers) {
      expectReadable(environment);
      expect(environment).toEqual(workers[0]?.environment);
    }
  });

  it('holds no secret', async () => {
    const { services } = await readComposeFile();
    for (const { environment } of Object.values(services)) {
      for (const [name, value] of Object.entries(environment)) {
        if (/PASSWORD|PWD|SECRET/.test(name)) expect(value).toMatch(/^\$\{\w+:\?\}$/);
      }
    }
  });
});

describe('deploy/kubernetes', () => {
  it('starts workers that our command line knows, with variables that it reads', async () => {
    const all = await resources('workers.yaml');
    const containers = all.flatMap(({ spec }) => spec?.template?.spec.containers ?? []);
    expect(containers).toHaveLength(2);
    for (const { args } of containers) {
      expect(args.slice(0, 2)).toEqual(['worker', '--task-queue']);
      expect(QUEUES).toContain(args[2]);
    }
    expectReadable(all.find(({ kind }) => kind === 'ConfigMap')?.data ?? {});
  });

  it('scales the workers of the gpu queue by what waits there', async () => {
    const all = await resources('workers.yaml');
    const [scaled] = await resources('autoscaling.yaml');
    const names = all
      .filter(({ kind }) => kind === 'Deployment')
      .map(({ metadata }) => metadata.name);
    expect(names).toContain(scaled?.spec?.scaleTargetRef?.name);
    const settings = all.find(({ kind }) => kind === 'ConfigMap')?.data ?? {};
    expect(scaled?.spec?.triggers?.[0]).toMatchObject({
      type: 'temporal',
      metadata: {
        endpoint: settings['TEMPORAL_ADDRESS'],
        namespace: settings['TEMPORAL_NAMESPACE'],
        taskQueue: acceleratorQueue(settings['TOOLSAMPLE_TASK_QUEUE'] ?? ''),
        queueTypes: 'activity',
      },
    });
  });
});

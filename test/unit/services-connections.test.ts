import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { Client } from 'pg';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { checkDatabaseUrl, redactUrl } from '../../services/postgres/connection.ts';
import { clusterUrl } from '../../services/postgres/placement.ts';
import { proxyArgs, temporalSettings } from '../../services/temporal/connection.ts';

afterEach(() => {
  vi.unstubAllEnvs();
});

describe('a connection string', () => {
  it.each([
    ['postgres://me:SECRET@db:5432/runs', 'postgres://me:***@db:5432/runs'],
    ['postgres://db/runs?user=me@corp&password=SECRET', /^postgres:\/\/db\/runs\?user=me/],
  ])('%s is shown without its password', (url, shown) => {
    expect(redactUrl(url)).toMatch(shown);
    expect(redactUrl(url)).not.toContain('SECRET');
  });

  it.each([
    'postgres://me:12#SECRET@db:5432/runs',
    'postgres://me:12/SECRET@db:5432/runs',
    'postgres://me:12?SECRET@db:5432/runs',
    'postgres://me:SECRET%zz@db:port/runs',
  ])('%s is not shown, and refused', async (url) => {
    expect(redactUrl(url)).toBe('(a connection string that is not a URL)');
    await expect(checkDatabaseUrl(url)).rejects.toMatchObject({
      code: 'config',
      message: expect.not.stringContaining('SECRET') as string,
    });
  });

  it('of our own server asks for no TLS, whatever is asked of others', () => {
    vi.stubEnv('PGSSLMODE', 'require');
    expect(new Client({ connectionString: 'postgres://elsewhere/runs' }).ssl).toBeTruthy();
    expect(new Client({ connectionString: clusterUrl(5432, 'word') }).ssl).toBe(false);
  });
});

describe('a Temporal server', () => {
  it.each(['127.0.0.1:7233', 'localhost:7233', '[::1]:7233'])(
    'at %s is not asked through a proxy',
    (address) => {
      expect(proxyArgs(address)).toEqual({ 'grpc.enable_http_proxy': 0 });
    },
  );

  it.each(['temporal.example.org:7233', undefined])('at %s is', (address) => {
    expect(proxyArgs(address)).toEqual({});
  });

  it('whose profile cannot be read is told without what the profile holds', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'toolsample-profile-'));
    const file = join(folder, 'temporal.toml');
    await writeFile(file, '[profile.default]\naddress = "x:7233"\napi_key = "SECRET\n');
    expect(() => temporalSettings({ TEMPORAL_CONFIG_FILE: file })).toThrow(
      /^Temporal's configuration: Invalid TOML document: [^\n]*$/,
    );
    let told: unknown;
    try {
      temporalSettings({ TEMPORAL_CONFIG_FILE: file });
    } catch (error) {
      told = error;
    }
    expect(inspect(told)).not.toContain('SECRET');
    await rm(folder, { recursive: true });
  });
});

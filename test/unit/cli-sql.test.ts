import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { sql } from '../../cli/commands/sql.ts';
import { painter } from '../../cli/render/text.ts';
import { ensureDatabaseOnly } from '../../services/services.ts';
import { env, scratchFolders, type ScratchFolders } from './support/scratch-services.ts';

let folders: ScratchFolders;
let home: string;

beforeAll(async () => {
  folders = await scratchFolders();
  home = folders.home('asked');
  await ensureDatabaseOnly({ home, env });
}, 240_000);
afterAll(async () => {
  await folders.close();
});

async function answer(query: string, json: boolean): Promise<string> {
  const lines: string[] = [];
  const terminal = {
    print: (line: string) => lines.push(line),
    note: () => undefined,
    paint: painter(false),
    live: false,
    width: () => 80,
    outliveReader: () => undefined,
  };
  await sql({ terminal, home, json }, query);
  return lines.join('\n');
}

const asJson = async (query: string): Promise<unknown> => JSON.parse(await answer(query, true));

describe('as JSON', () => {
  it.each([
    ['rounded', `select round(v, 2) as x from (values (0.84), (1), (0.9), (-3)) t (v)`],
    ['an average', `select avg(v)::numeric as x from (values (1), (2)) t (v) group by v`],
    [
      'an average of thirds',
      `select avg(v) as x from (values (1, 1), (0, 1), (0, 1), (1, 2)) t (v, g) group by g`,
    ],
    ['a count', `select count(*) as x from (values (1)) t (v)`],
    ['small', `select v as x from (values (0.00000010), (1.5)) t (v)`],
    ['floating', `select v as x from (values (1e-7::float8), (1e22::float8)) t (v)`],
  ])('numbers are numbers: %s', async (_, query) => {
    const rows = (await asJson(query)) as { x: unknown }[];
    expect(rows.length).toBeGreaterThan(0);
    expect(rows.map(({ x }) => typeof x)).toEqual(rows.map(() => 'number'));
  });

  it('numbers keep all their digits', async () => {
    const query = `select 9007199254740993 as big, 0.12345678901234567890 as long, 1.50 as half`;
    expect(await answer(query, true)).toBe(
      '[\n  {"big": 9007199254740993, "long": 0.12345678901234567890, "half": 1.50}\n]',
    );
  });

  it('what JSON has no number for is a text, and everything else what it was', async () => {
    expect(
      await asJson(
        `select 'NaN'::numeric as a, '-Infinity'::float8 as b, null::int as c, '1.00' as d, true as e,
          '{"x": [1.0, "y"]}'::json as f, timestamptz '2026-11-24 09:30Z' as g, array[1, 2] as h`,
      ),
    ).toEqual([
      {
        a: 'NaN',
        b: '-Infinity',
        c: null,
        d: '1.00',
        e: true,
        f: { x: [1, 'y'] },
        g: '2026-11-24T09:30:00.000Z',
        h: [1, 2],
      },
    ]);
    expect(await asJson('select 1 where false')).toEqual([]);
  });
});

describe('as a table', () => {
  it('numbers stand as Postgres writes them, to the right, whatever their values', async () => {
    const query = `select * from (values
      ('a', 0.84, 'NaN'::float8, 7, null::text, true), ('bcd', 1.00, 0.25, null, null, false)) t
      (name, reward, score, visits, reason, done)`;
    expect(await answer(query, false)).toBe(
      [
        'name  reward  score  visits  reason  done',
        '────  ──────  ─────  ──────  ──────  ─────',
        'a       0.84    NaN       7          true',
        'bcd     1.00   0.25                  false',
        '2 rows',
      ].join('\n'),
    );
  });
});

it('a query that writes is refused', async () => {
  await expect(answer('create table x ()', false)).rejects.toThrow(/read-only transaction/);
});

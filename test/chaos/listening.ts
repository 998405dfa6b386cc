import { readdir, readFile, readlink } from 'node:fs/promises';

/**
 * Addresses on which somebody listens, by the kernel's own tables.
 * @param port null: any
 * @param pid only sockets that this process holds
 */
export async function listeningAddresses(port: number | null, pid?: number): Promise<string[]> {
  const held = pid === undefined ? null : await heldSockets(pid);
  const tables = await Promise.all(
    ['/proc/net/tcp', '/proc/net/tcp6'].map(async (file) => readFile(file, 'utf8').catch(() => '')),
  );
  const found = tables.flatMap((table) => table.split('\n').slice(1)).map((line) => line.trim());
  return found
    .map((line) => line.split(/\s+/))
    .filter(([, local = '', , state, , , , , , inode = '']) => {
      const listens = state === '0A';
      const samePort = port === null || Number.parseInt(local.split(':')[1] ?? '', 16) === port;
      return listens && samePort && (held === null || held.has(inode));
    })
    .map(([, local = '']) => readable(local.split(':')[0] ?? ''));
}

async function heldSockets(pid: number): Promise<ReadonlySet<string>> {
  const folder = `/proc/${pid}/fd`;
  const links = await Promise.all(
    (await readdir(folder)).map(async (name) => readlink(`${folder}/${name}`).catch(() => '')),
  );
  return new Set(links.map((link) => /^socket:\[(\d+)\]$/.exec(link)?.[1] ?? ''));
}

/** `0100007F` → `127.0.0.1`: the kernel writes the four bytes from the last to the first. IPv6 as it is. */
function readable(hexadecimal: string): string {
  if (hexadecimal.length !== 8) return hexadecimal;
  const bytes = hexadecimal.match(/../g) ?? [];
  return bytes
    .map((byte) => Number.parseInt(byte, 16))
    .toReversed()
    .join('.');
}

/**
 * A real secure mount for one test.
 *
 * @module
 */

import {
  openSecureMount,
  type SecurePlace,
} from "../../payload/secure_mount.ts";
import { recordingLog } from "../api/support/attester.ts";

/** A mount that ends with its scope, and its directory. */
export interface TestMount extends AsyncDisposable {
  readonly place: SecurePlace;
  /** Absolute path of the mount, `K/secure`. */
  readonly path: string;
  /** What is below the mount: for each path its mode, and its content if it is a file. */
  tree(): Promise<Readonly<Record<string, string>>>;
}

/** Mounts a tmpfs of `size`. Only root can. */
export async function mountForTest(size = "1m"): Promise<TestMount> {
  const directory = await Deno.makeTempDir({ prefix: "dkpay-" });
  const path = `${directory}/secure`;
  const uid = Deno.uid() ?? 0;
  const place = await openSecureMount({
    path,
    size,
    owner: { uid, gid: Deno.gid() ?? 0 },
    uid,
  }, recordingLog().log);
  if (place.kind !== "ready") throw new Error(place.reason);
  return {
    place,
    path,
    tree: () => treeOf(path),
    [Symbol.asyncDispose]: async (): Promise<void> => {
      await new Deno.Command("umount", { args: ["--lazy", path] }).output();
      await Deno.remove(directory, { recursive: true });
    },
  };
}

async function treeOf(
  root: string,
  below = "",
): Promise<Record<string, string>> {
  const tree: Record<string, string> = {};
  for await (const { name } of Deno.readDir(root + below)) {
    const path = `${below}/${name}`;
    const status = await Deno.lstat(root + path);
    const mode = ((status.mode ?? 0) & 0o7777).toString(8);
    if (status.isDirectory) {
      tree[path] = mode;
      Object.assign(tree, await treeOf(root, path));
    } else {
      tree[path] = `${mode} ${await Deno.readTextFile(root + path)}`;
    }
  }
  return tree;
}

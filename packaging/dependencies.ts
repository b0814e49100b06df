/**
 * Where a build finds what it takes from the network: the npm packages and the
 * esbuild that `deno bundle` runs. They are in Deno's own cache, which fetches
 * them, or in `vendor/`, which is such a cache cut down to them.
 *
 * @module
 */

/**
 * The registry that vendored packages are filed under, wherever they are from.
 * Names below `invalid` lead nowhere (RFC 2606), so nothing can be fetched.
 */
export const REGISTRY = "vendored.invalid";

/** The parts of Deno's cache that hold npm packages and esbuild. */
const CACHE_PARTS = ["npm", "dl"];

/** Where a build finds its dependencies, until the end of the scope. */
export interface Dependencies extends AsyncDisposable {
  /** Whether they are vendored: Deno must fetch nothing then. */
  readonly isVendored: boolean;
  /** The environment that tells Deno. */
  readonly env: Readonly<Record<string, string>>;
}

/**
 * The dependencies of the project at `root`: `vendor/` if it is there. Deno
 * gets a private cache with links to it, for it writes to its cache, and
 * `vendor/` may be read-only.
 */
export async function openDependencies(root: string): Promise<Dependencies> {
  const vendor = await Deno.realPath(`${root}/vendor`).catch((error) => {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  });
  if (vendor === undefined) {
    return {
      isVendored: false,
      env: {},
      [Symbol.asyncDispose]: () => Promise.resolve(),
    };
  }
  const cache = await Deno.makeTempDir({ prefix: "keylime-build-" });
  for (const part of CACHE_PARTS) {
    await Deno.symlink(`${vendor}/${part}`, `${cache}/${part}`);
  }
  return {
    isVendored: true,
    env: {
      DENO_DIR: cache,
      DENO_NO_UPDATE_CHECK: "1",
      // Its name is that of a folder; HOME has no .npmrc there.
      NPM_CONFIG_REGISTRY: `https://${REGISTRY}/`,
      HOME: cache,
    },
    [Symbol.asyncDispose]: () => Deno.remove(cache, { recursive: true }),
  };
}

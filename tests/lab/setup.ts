/**
 * Makes what the lab needs on a fresh machine: the distribution's packages and
 * a Python environment with Keylime's control plane. Does nothing that is done
 * already, and says what it does.
 *
 * Run it with `deno run -A tests/lab/setup.ts`.
 *
 * @module
 */

import {
  completionMark,
  environmentDirectory,
  exists,
  findPython,
  isComplete,
  type LabTools,
  missingSystemParts,
  type SystemPython,
  toolsIn,
} from "./tools.ts";

/** Takes one line for whoever watches the set-up. */
export type Say = (line: string) => void;

/** What packages are for: the lab, or the virtual machine beside it. */
export type Purpose = "lab" | "vm";

interface PackageManager {
  /** Its program, which shows that this is its distribution. */
  readonly program: string;
  /** Renews its lists, where an installation does not do so itself. */
  readonly refresh?: readonly string[];
  readonly install: readonly string[];
  /** By what they are for. */
  readonly packages: Readonly<Record<Purpose, readonly string[]>>;
  readonly env: Readonly<Record<string, string>>;
}

/** How long another package manager at work is waited for, in seconds. */
const LOCK_WAIT = "300";

const PACKAGE_MANAGERS: readonly PackageManager[] = [
  {
    program: "/usr/bin/apt-get",
    refresh: ["apt-get", "update", "-q"],
    install: [
      "apt-get",
      "install",
      "-q",
      "--yes",
      "--no-install-recommends",
      "-o",
      `DPkg::Lock::Timeout=${LOCK_WAIT}`,
    ],
    packages: {
      lab: [
        "swtpm",
        "swtpm-tools",
        "tpm2-tools",
        "libefivar1",
        "python3",
        "python3-gpg",
        "python3-venv",
        "openssl",
        "binutils",
        "cpio",
        "mandoc",
        "rpm",
        "rpmlint",
        "shellcheck",
        "systemd",
        "udev",
      ],
      vm: [
        "busybox-static",
        "cpio",
        "dosfstools",
        "e2fsprogs",
        "kmod",
        "mmdebstrap",
        "mtools",
        "ovmf",
        "qemu-system-x86",
        "rpm",
      ],
    },
    env: { DEBIAN_FRONTEND: "noninteractive" },
  },
  {
    program: "/usr/bin/zypper",
    install: ["zypper", "--non-interactive", "install", "--no-recommends"],
    packages: {
      lab: [
        "swtpm",
        "tpm2.0-tools",
        "libtss2-tcti-swtpm0",
        "libefivar1",
        "python3",
        "python3-gpg",
        "openssl",
        "cpio",
        "mandoc",
        "rpm-build",
        "rpmlint",
        "ShellCheck",
        "systemd",
        "udev",
      ],
      vm: [], // it is made of Debian's packages
    },
    env: { ZYPP_LOCK_TIMEOUT: LOCK_WAIT },
  },
];

/**
 * Makes the lab, as far as it is not there.
 *
 * @throws Error that says what to do, when it cannot: not root, an unknown
 * distribution, no network
 */
export async function setUpLab(say: Say): Promise<LabTools> {
  const missing = await missingSystemParts();
  const python = await findPython();
  if (python === undefined) missing.push("Python 3.10 with gpg and venv");
  if (missing.length > 0) {
    say(`Missing on this machine: ${missing.join(", ")}`);
    await installSystemPackages("lab", say);
    const still = await missingSystemParts();
    if (still.length > 0) {
      throw new Error(`Still missing after that: ${still.join(", ")}`);
    }
  } else {
    say("System packages are there");
  }
  const environment = await environmentDirectory();
  await makeEnvironment(environment, say);
  return toolsIn(environment);
}

/**
 * Installs the distribution's packages for that purpose.
 *
 * @throws Error that says what to do, when it cannot: not root, an unknown
 * distribution, no network
 */
export async function installSystemPackages(
  purpose: Purpose,
  say: Say,
): Promise<void> {
  for (const manager of PACKAGE_MANAGERS) {
    if (!await exists(manager.program)) continue;
    const install = [...manager.install, ...manager.packages[purpose]];
    if (Deno.uid() !== 0) {
      throw new Error(`Run this as root first: ${install.join(" ")}`);
    }
    if (manager.refresh !== undefined) {
      await patiently(manager.refresh, manager.env, say);
    }
    await patiently(install, manager.env, say);
    return;
  }
  throw new Error(
    "Found neither apt-get nor zypper; install swtpm with its tools, " +
      "tpm2-tools, libefivar, openssl, Python's venv and gpg modules, " +
      "rpmbuild, rpmlint, mandoc, shellcheck, cpio and systemd",
  );
}

/** Runs a package manager, again while another one holds its lock. */
async function patiently(
  argv: readonly string[],
  env: Readonly<Record<string, string>>,
  say: Say,
): Promise<void> {
  for (let attempt = 1;; attempt++) {
    say(`Running ${argv.join(" ")}`);
    const { success, output } = await runLoud(argv, env);
    if (success) return;
    if (attempt === 30 || !/\block\b|locked/i.test(output)) {
      throw new Error(`"${argv.join(" ")}" failed:\n${output.slice(-4000)}`);
    }
    say("Another package manager is at work; trying again in 10 s");
    await new Promise((resolve) => setTimeout(resolve, 10_000));
  }
}

/**
 * Makes the Python environment in that directory. Parallel runs wait for the
 * one that came first; a run that was cut off leaves no completion mark, so
 * the next one starts afresh.
 */
async function makeEnvironment(environment: string, say: Say): Promise<void> {
  await Deno.mkdir(environment, { recursive: true });
  using lock = await Deno.open(`${environment}.lock`, {
    create: true,
    write: true,
  });
  await lock.lock(true);
  if (await isComplete(environment)) {
    say(`Keylime's control plane is there: ${environment}`);
    return;
  }
  const python = await findPython();
  if (python === undefined) {
    throw new Error(
      "Found no Python 3.10 or later with gpg and venv in /usr/bin",
    );
  }
  say(`Installing Keylime's control plane in ${environment}`);
  await Deno.remove(environment, { recursive: true });
  await installKeylime(environment, python);
  await Deno.writeTextFile(completionMark(environment), JSON.stringify(python));
  say("Keylime's control plane is ready");
}

async function installKeylime(
  environment: string,
  python: SystemPython,
): Promise<void> {
  const requirements = new URL(
    "control_plane/requirements.txt",
    import.meta.url,
  ).pathname;
  await must([python.path, "-m", "venv", environment]);
  await must([
    `${environment}/bin/python`,
    "-m",
    "pip",
    "install",
    "--quiet",
    "--disable-pip-version-check",
    "--no-deps", // the pins are complete; anything else would be a surprise
    "--requirement",
    requirements,
  ]);
  // The one module that must be the distribution's; system site packages
  // would let all others in, too.
  const site = (await must([
    `${environment}/bin/python`,
    "-c",
    "import sysconfig; print(sysconfig.get_path('platlib'))",
  ])).trim();
  await Deno.symlink(python.gpg, `${site}/gpg`);
  await must([
    `${environment}/bin/python`,
    "-c",
    "import keylime.cmd.verifier, keylime.cmd.registrar, keylime.cmd.tenant, " +
    "keylime.cmd.keylime_policy",
  ]);
}

async function must(argv: readonly string[]): Promise<string> {
  const { success, output } = await runLoud(argv, {});
  if (!success) throw new Error(`"${argv.join(" ")}" failed:\n${output}`);
  return output;
}

/** With the whole environment: proxies, certificates and mirrors count here. */
async function runLoud(
  argv: readonly string[],
  env: Readonly<Record<string, string>>,
): Promise<{ success: boolean; output: string }> {
  const [program = "", ...args] = argv;
  const { success, stdout, stderr } = await new Deno.Command(program, {
    args,
    env,
    stdin: "null",
  }).output();
  const decoder = new TextDecoder();
  return { success, output: decoder.decode(stdout) + decoder.decode(stderr) };
}

if (import.meta.main) {
  const encoder = new TextEncoder();
  try {
    await setUpLab((line) =>
      Deno.stdout.writeSync(encoder.encode(`${line}\n`))
    );
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    Deno.stderr.writeSync(encoder.encode(`${message}\n`));
    Deno.exit(1);
  }
}

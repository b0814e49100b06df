import assert from "node:assert/strict";
import project from "../../deno.json" with { type: "json" };
import { buildPackages } from "../../packaging/rpm.ts";
import { vendor, VENDOR_ARCHIVE } from "../../packaging/vendor.ts";
import { run } from "../lab/command.ts";
import {
  filesOf,
  must,
  query,
  scriptletsOf,
  unpack,
} from "./support/package_file.ts";
import { SmallRoot } from "./support/small_root.ts";

const VERSION = project.version;
const ARCH = Deno.build.arch;
const CONFIGURATION = new URL(
  "../../packaging/rpmlint.toml",
  import.meta.url,
).pathname;
const SPEC = new URL("../../packaging/deno-keylime.spec", import.meta.url);

const output = await Deno.makeTempDir();
const agent = `${output}/deno-keylime-${VERSION}-7.${ARCH}.rpm`;
const policy = `${output}/deno-keylime-ima-policy-${VERSION}-7.noarch.rpm`;

Deno.test.beforeAll(async () => {
  await vendor();
  const packages = await buildPackages({
    output,
    release: "7",
    deno: Deno.execPath(),
    denort: Deno.env.get("DENORT_BIN"),
    dependencies: VENDOR_ARCHIVE,
    say: () => {},
  });
  const source = `${output}/deno-keylime-${VERSION}-7.src.rpm`;
  assert.deepEqual(packages, [source, policy, agent]);
});

Deno.test.afterAll(() => Deno.remove(output, { recursive: true }));

Deno.test("the package has exactly these files, modes and owners", async () => {
  const documents = new RegExp(`/usr/share/(doc|licenses)/deno-keylime`);
  const files = await filesOf(agent);
  assert.deepEqual(files.filter((line) => !documents.test(line)).sort(), [
    "-rw------- keylime:tss /usr/etc/keylime/agent.conf",
    "-rw-r--r-- root:root /usr/lib/firewalld/services/keylime.xml",
    "-rw-r--r-- root:root /usr/lib/systemd/system/keylime_agent.service",
    "-rw-r--r-- root:root /usr/lib/systemd/system/var-lib-keylime-secure.mount",
    "-rw-r--r-- root:root /usr/lib/sysusers.d/keylime-user.conf",
    "-rw-r--r-- root:root /usr/lib/tmpfiles.d/deno-keylime.conf",
    "-rw-r--r-- root:root /usr/lib/udev/rules.d/55-keylime-tpm.rules",
    "-rw-r--r-- root:root /usr/share/man/man8/keylime_agent.8.gz",
    "-rwxr-xr-x root:root /usr/bin/keylime_agent",
    "drwx------ keylime:tss /usr/etc/keylime",
    "drwxr-x--- keylime:tss /usr/libexec/keylime",
    "drwxr-xr-x root:root /usr/lib/firewalld",
    "drwxr-xr-x root:root /usr/lib/firewalld/services",
    "drwxr-xr-x root:root /usr/lib/tmpfiles.d",
  ]);
  const modes = files.filter((line) => documents.test(line))
    .map((line) => line.split(" /")[0]);
  assert.deepEqual(
    [...new Set(modes)].sort(),
    ["-rw-r--r-- root:root", "drwxr-xr-x root:root"],
  );
});

Deno.test("the policy's package has exactly these files, modes and owners", async () => {
  const files = await filesOf(policy);
  assert.deepEqual(
    files.filter((line) => !line.includes("/usr/share/licenses/")).sort(),
    [
      "-rw-r--r-- root:root /etc/ima/ima-policy",
      "-rw-r--r-- root:root /usr/lib/systemd/system/ima-policy.service",
      "drwxr-x--- root:root /etc/ima",
    ],
  );
  assert.deepEqual(await query(policy, "--configfiles"), [
    "/etc/ima/ima-policy",
  ]);
});

Deno.test("the packages replace those of rust-keylime", async () => {
  const provides = await query(agent, "--provides");
  for (
    const name of ["rust-keylime = 0.2.9", "user(keylime)", "group(keylime)"]
  ) {
    assert.ok(provides.includes(name), name);
  }
  assert.deepEqual(await query(agent, "--conflicts"), ["rust-keylime"]);
  assert.deepEqual(await query(agent, "--suggests"), [
    "(deno-keylime-ima-policy if selinux-policy-targeted)",
  ]);
  assert.deepEqual(await query(policy, "--conflicts"), ["keylime-ima-policy"]);
  assert.ok(
    (await query(policy, "--provides")).includes("keylime-ima-policy = 0.2.9"),
  );
});

Deno.test("the package requires the libraries that its Deno needs", async () => {
  const requires = await query(agent, "--requires");
  assert.ok(
    requires.some((name) => name.startsWith("libc.so.6(")),
    `${requires}`,
  );
});

Deno.test("scriptlets are clean shell and leave running systems' data alone", async (t) => {
  for (const path of [agent, policy]) {
    for (const [name, text] of await scriptletsOf(path)) {
      await t.step(`${name} of ${path.slice(output.length + 1)}`, async () => {
        const script = new TextEncoder().encode(text);
        const argv = ["shellcheck", "--shell=sh", "-"];
        const { code, stdout } = await run(argv, { stdin: script });
        assert.equal(code, 0, `${text}\n${stdout}`);
        const touched = text.replace(/^u .*\n/m, ""); // the account's home
        assert.doesNotMatch(touched, /\/(var|srv|home|opt|root)\b/);
      });
    }
  }
  const names = ["prein", "postin", "preun", "postun"];
  assert.deepEqual([...(await scriptletsOf(agent)).keys()], names);
});

Deno.test("the packaged executable runs and says what it is", async () => {
  await using directory = await temporary();
  await unpack(agent, directory.path);
  const { code, stdout, stderr } = await run(
    [`${directory.path}/usr/bin/keylime_agent`, "--version"],
    { env: { CACHE_DIRECTORY: `${directory.path}/cache` } },
  );
  assert.equal(code, 0, stderr);
  assert.match(
    stdout,
    new RegExp(`^keylime_agent ${VERSION} \\((portable|compiled), Deno`),
  );
});

Deno.test("rpmlint finds nothing that is not explained", async () => {
  const packages = await Array.fromAsync(
    Deno.readDir(output),
    ({ name }) => `${output}/${name}`,
  );
  const argv = ["rpmlint", "--config", CONFIGURATION, ...packages];
  const { stdout } = await run([...argv, SPEC.pathname]);
  assert.match(stdout, / 0 errors, 0 warnings/, stdout);
});

Deno.test("the version in the spec file is that of deno.json", async () => {
  const spec = await Deno.readTextFile(SPEC);
  assert.equal(/^Version: +(.*)$/m.exec(spec)?.[1], VERSION);
});

/** Only root may change its root. */
const IN_ROOT = { ignore: Deno.uid() !== 0 };

Deno.test(
  "an installation into a new snapshot makes accounts and nothing in /var",
  IN_ROOT,
  async (t) => {
    await using root = await SmallRoot.make("disable *\n");
    await root.rpm("--install", "--nodeps", agent, policy);

    await t.step("the accounts are there", async () => {
      const [account] = (await root.lines("/etc/passwd"))
        .filter((line) => line.startsWith("keylime:"));
      assert.match(account ?? "", /:\/var\/lib\/keylime:.*nologin$/);
      const groups = await root.lines("/etc/group");
      assert.ok(
        groups.some((line) => /^tss:.*:keylime$/.test(line)),
        `${groups}`,
      );
    });

    await t.step("the files belong to them", async () => {
      assert.equal(await root.status("/usr/etc/keylime"), "keylime:tss 700");
      assert.equal(
        await root.status("/usr/etc/keylime/agent.conf"),
        "keylime:tss 600",
      );
      assert.equal(
        await root.status("/usr/libexec/keylime"),
        "keylime:tss 750",
      );
    });

    await t.step("nothing is where an update cannot see", async () => {
      for (const path of ["/var", "/srv", "/home"]) {
        assert.deepEqual(await root.below(path), []);
      }
    });

    await t.step("no unit is enabled against the presets", async () => {
      const links = await root.below("/etc/systemd").catch(() => []);
      assert.deepEqual(links.filter((path) => path.includes(".wants/")), []);
    });

    await t.step("the next boot makes the agent's directories", async () => {
      await root.boot();
      const modes: Record<string, string> = {};
      for (const path of await root.below("/var")) {
        if (path.includes("keylime")) modes[path] = await root.status(path);
      }
      assert.deepEqual(modes, {
        "/var/lib/keylime": "keylime:tss 700",
        "/var/lib/keylime/cv_ca": "keylime:tss 700",
        "/var/log/keylime": "keylime:tss 750",
      });
      assert.equal(await root.status("/run/keylime"), "keylime:tss 700");
    });
  },
);

Deno.test(
  "units are enabled where presets say so, and disabled at removal",
  IN_ROOT,
  async () => {
    await using root = await SmallRoot.make(
      "enable keylime_agent.service\ndisable *\n",
    );
    await root.rpm("--install", "--nodeps", agent);
    const wants = "/etc/systemd/system/multi-user.target.wants";
    assert.deepEqual(await root.below(wants), [
      `${wants}/keylime_agent.service`,
    ]);
    await root.rpm("--erase", "deno-keylime");
    assert.deepEqual(await root.below(wants).catch(() => []), []);
  },
);

Deno.test(
  "an update keeps what the administrator chose, a removal the accounts and the policy",
  IN_ROOT,
  async () => {
    await using root = await SmallRoot.make("disable *\n");
    await root.rpm("--install", "--nodeps", agent, policy);
    const wants = "/etc/systemd/system/multi-user.target.wants";
    await Deno.mkdir(root.path + wants, { recursive: true });
    const enabled = `${wants}/keylime_agent.service`;
    const unit = "/usr/lib/systemd/system/keylime_agent.service";
    await Deno.symlink(unit, root.path + enabled);
    const own = "measure func=BPRM_CHECK\n";
    await Deno.writeTextFile(`${root.path}/etc/ima/ima-policy`, own);

    await root.rpm("--upgrade", "--nodeps", "--replacepkgs", agent, policy);
    assert.deepEqual(await root.below(wants), [enabled]);
    assert.deepEqual(await root.lines("/etc/ima/ima-policy"), [own.trimEnd()]);

    await root.rpm("--erase", "deno-keylime", "deno-keylime-ima-policy");
    assert.deepEqual(await root.below("/etc/ima"), [
      "/etc/ima/ima-policy.rpmsave",
    ]);
    assert.deepEqual(await root.below("/usr/etc"), []);
    assert.ok(
      (await root.lines("/etc/passwd")).some((l) => /^keylime:/.test(l)),
    );
  },
);

Deno.test("rpmbuild has no network and leaves an appended program alone", async () => {
  await using directory = await temporary();
  const { path } = directory;
  // What "deno compile" makes: an executable, and behind its end the program.
  const program = await Deno.readFile("/usr/bin/true");
  await Deno.writeFile(`${path}/compiled`, program);
  await Deno.writeTextFile(`${path}/compiled`, "the program", { append: true });
  await Deno.writeTextFile(
    `${path}/deno`,
    `#!/bin/sh -e
[ "$*" != --version ] || exec echo "deno of a test"
[ "$*" = "run -A packaging/build.ts" ] && [ "$DENORT_BIN" = /some/denort ]
[ "$(grep -c : /proc/net/dev)" -eq 1 ] # no interface but lo
mkdir -p dist
install -m 0755 ${path}/compiled dist/keylime_agent
`,
    { mode: 0o755 },
  );
  await must([
    "tar",
    "-czf",
    `${path}/vendor.tar.gz`,
    "--files-from=/dev/null",
  ]);
  await buildPackages({
    output: `${path}/out`,
    release: "0",
    deno: `${path}/deno`,
    denort: "/some/denort",
    dependencies: `${path}/vendor.tar.gz`,
    say: () => {},
  });
  await unpack(`${path}/out/deno-keylime-${VERSION}-0.${ARCH}.rpm`, path);
  assert.deepEqual(
    await Deno.readFile(`${path}/usr/bin/keylime_agent`),
    await Deno.readFile(`${path}/compiled`),
  );
});

async function temporary(): Promise<AsyncDisposable & { path: string }> {
  const path = await Deno.makeTempDir();
  return {
    path,
    [Symbol.asyncDispose]: () => Deno.remove(path, { recursive: true }),
  };
}

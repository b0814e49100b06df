import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { QuoteError } from "../../agent/attestation.ts";
import { NonceTooLongError } from "../../agent/attester.ts";
import { TpmError } from "../../tpm/mod.ts";
import {
  AttestationLab,
  CODES,
  extendCommand,
  PAYLOAD_KEY,
  RESET_COMMAND,
} from "./support/attestation_lab.ts";
import { codeOf } from "./support/bare_tpm.ts";

const NONCE = "1234567890ABCDEFHIJK";
const READ = "TPM2_PCR_Read";
const RESET = "TPM2_PCR_Reset";
const EXTEND = "TPM2_PCR_Extend";
const QUOTE = "TPM2_Quote";

/** What PCR 16 holds, by contract section 3.6. */
function bound(hash: string): string {
  const pem = createHash(hash).update(PAYLOAD_KEY).digest();
  return createHash(hash).update(new Uint8Array(pem.length)).update(pem)
    .digest("hex");
}

function maskOf(...pcrs: readonly number[]): number {
  return pcrs.reduce((mask, pcr) => mask + 2 ** pcr, 0);
}

Deno.test("identityQuote() signs nonce and payload key with every algorithm", async (t) => {
  const rows = [
    { keyType: "rsa2048", scheme: "rsassa", hash: "sha256" },
    { keyType: "rsa2048", scheme: "rsassa", hash: "sha1" },
    { keyType: "rsa2048", scheme: "rsassa", hash: "sha512" },
    { keyType: "ecc256", scheme: "ecdsa", hash: "sha256" },
    { keyType: "ecc256", scheme: "ecdsa", hash: "sha384" },
  ] as const;
  for (const algorithms of rows) {
    await t.step(Object.values(algorithms).join(" "), async () => {
      await using lab = await AttestationLab.make({ algorithms });
      const { attester } = lab;
      const quote = lab.verified(await attester.identityQuote(NONCE));
      assert.equal(quote.nonce, NONCE);
      assert.deepEqual(
        [...quote.pcrs],
        [[16, bound(algorithms.hash)]],
      );
      assert.deepEqual(attester.algorithms, {
        hash: algorithms.hash,
        encryption: algorithms.keyType,
        signing: algorithms.scheme,
      });
    });
  }
});

Deno.test("Attestation sends no more commands than a quote needs", async (t) => {
  await using lab = await AttestationLab.make();
  const { attester, bare } = lab;
  const identity = (): Promise<unknown> => attester.identityQuote(NONCE);
  const integrity = (mask: number) => (): Promise<unknown> =>
    attester.integrityEvidence({ nonce: NONCE, mask, imaEntry: 0 });
  const dirty = async (): Promise<void> => {
    await bare.mux.transmit(extendCommand(16));
  };
  const reset = async (): Promise<void> => {
    await bare.mux.transmit(RESET_COMMAND);
  };
  const nothing = (): Promise<void> => Promise.resolve();
  await identity(); // a TPM may test itself before its first signature
  const eight = maskOf(0, 1, 2, 3, 4, 5, 10);
  const rows = [
    ["first quote after boot", reset, identity, [READ, EXTEND, QUOTE]],
    ["identity", nothing, identity, [READ, QUOTE]],
    ["PCR 16 used by others", dirty, identity, [READ, RESET, EXTEND, QUOTE]],
    ["after that", nothing, identity, [READ, QUOTE]],
    ["8 registers", nothing, integrity(eight), [READ, QUOTE]],
    [
      "9 registers",
      nothing,
      integrity(eight + maskOf(11)),
      [READ, READ, QUOTE],
    ],
    [
      "24 registers",
      nothing,
      integrity(2 ** 24 - 1),
      [READ, READ, READ, QUOTE],
    ],
  ] as const;
  for (const [name, before, work, want] of rows) {
    await t.step(name, async () => {
      await before();
      // In the millisecond of the last quote it would take two.
      await new Promise((resolve) => setTimeout(resolve, 2));
      assert.deepEqual(await bare.during(work), want);
    });
  }
});

Deno.test("every request has a quote of its own, whatever its nonce", async () => {
  await using lab = await AttestationLab.make();
  await lab.attester.identityQuote(NONCE);
  const nonces = ["one", "two", "two"];
  const quotes = await Promise.all(
    nonces.map((nonce) => lab.attester.identityQuote(nonce)),
  );
  const found = quotes.map((quote) => lab.verified(quote));
  assert.deepEqual(found.map(({ nonce }) => nonce), nonces);
  assert.equal(new Set(found.map(({ clock }) => clock)).size, nonces.length);
});

Deno.test("of 16 verifiers none waits for more than one quote of each other", async () => {
  await using lab = await AttestationLab.make();
  const order: string[] = [];
  lab.bare.mux.record = ({ command }) => {
    if (codeOf(command) !== CODES.quote) return;
    const [caller = ""] = /caller[a-p]/.exec(
      new TextDecoder("latin1").decode(command),
    ) ?? [];
    // A quote of the same millisecond as the last one is made again.
    if (order.at(-1) !== caller) order.push(caller);
  };
  const callers = [..."abcdefghijklmnop"].map((name) => `caller${name}`);
  const rounds = 3;
  await Promise.all(callers.map(async (caller) => {
    for (let round = 0; round < rounds; round++) {
      await lab.attester.identityQuote(`${caller}${round}`);
    }
  }));
  assert.deepEqual(order, Array(rounds).fill(callers).flat());
});

Deno.test("integrityEvidence() quotes the selected registers and PCR 16", async (t) => {
  await using lab = await AttestationLab.make();
  const all = Array.from({ length: 24 }, (_, pcr) => pcr);
  const rows = [
    { pcrs: [], want: [16] },
    { pcrs: [16], want: [16] },
    { pcrs: [10], want: [10, 16] },
    { pcrs: [0, 7, 23], want: [0, 7, 16, 23] },
    { pcrs: all, want: all },
  ];
  for (const { pcrs, want } of rows) {
    await t.step(pcrs.join(" ") || "none", async () => {
      const mask = maskOf(...pcrs);
      const { quote } = await lab.attester.integrityEvidence(
        { nonce: NONCE, mask, imaEntry: 0 },
      );
      const { pcrs: found } = lab.verified(quote);
      assert.deepEqual([...found.keys()], want);
      assert.equal(found.get(16), bound("sha256"));
    });
  }
});

Deno.test("Attestation repeats a quote when a register changed under it", async (t) => {
  const rows = [
    {
      name: "PCR 10 by the kernel",
      pcr: 10,
      want: [READ, QUOTE, READ, QUOTE],
    },
    {
      name: "PCR 16 by another program",
      pcr: 16,
      want: [READ, QUOTE, READ, RESET, EXTEND, QUOTE],
    },
  ];
  for (const { name, pcr, want } of rows) {
    await t.step(name, async () => {
      await using lab = await AttestationLab.make();
      await lab.attester.identityQuote(NONCE);
      lab.afterNext(CODES.pcrRead, extendCommand(pcr));
      let quote = "";
      const commands = await lab.bare.during(async () => {
        const mask = maskOf(10);
        ({ quote } = await lab.attester.integrityEvidence(
          { nonce: NONCE, mask, imaEntry: 0 },
        ));
      });
      assert.deepEqual(commands, want);
      assert.equal(lab.verified(quote).pcrs.get(16), bound("sha256"));
    });
  }
});

Deno.test("Attestation gives up on registers that never hold still", async () => {
  await using lab = await AttestationLab.make();
  await lab.attester.identityQuote(NONCE);
  const { mux } = lab.bare;
  mux.record = ({ command }) => {
    if (codeOf(command) !== CODES.pcrRead) return;
    void mux.transmit(extendCommand(10));
  };
  const request = { nonce: NONCE, mask: maskOf(10), imaEntry: 0 };
  const commands = await lab.bare.during(() =>
    assert.rejects(lab.attester.integrityEvidence(request), (error) => {
      assert.ok(error instanceof QuoteError);
      assert.match(error.message, /PCR 10, 16/);
      return true;
    })
  );
  assert.deepEqual(commands, Array(5).fill([READ, QUOTE]).flat());
  mux.record = undefined;
  await lab.attester.integrityEvidence(request);
});

Deno.test("Attestation never gives two quotes of the same millisecond", async (t) => {
  await using lab = await AttestationLab.make();
  const { mux } = lab.bare;
  let answer = new Uint8Array();
  mux.record = ({ command, response }) => {
    if (codeOf(command) === CODES.quote) answer = Uint8Array.from(response);
  };
  const first = lab.verified(await lab.attester.identityQuote(NONCE));
  mux.record = undefined;
  await t.step("one is repeated", async () => {
    mux.intercept = (command) => {
      if (codeOf(command) !== CODES.quote) return undefined;
      mux.intercept = undefined;
      return answer;
    };
    let quote = "";
    const commands = await lab.bare.during(async () => {
      quote = await lab.attester.identityQuote(NONCE);
    });
    assert.deepEqual(commands, [READ, QUOTE, READ, QUOTE]);
    assert.ok(lab.verified(quote).clock > first.clock);
  });
  await t.step("a clock that stands still is told", async () => {
    mux.intercept = (command) =>
      codeOf(command) === CODES.quote ? answer : undefined;
    await assert.rejects(lab.attester.identityQuote(NONCE), (error) => {
      assert.ok(error instanceof QuoteError);
      assert.match(error.message, /clock/);
      return true;
    });
    mux.intercept = undefined;
    await lab.attester.identityQuote(NONCE);
  });
});

Deno.test("Attestation tells a nonce that is too long from other trouble", async (t) => {
  await using lab = await AttestationLab.make();
  const nonce = "N".repeat(64);
  await t.step("the TPM blames its size", async () => {
    lab.bare.refuse(CODES.quote, 0x1d5);
    await assert.rejects(lab.attester.identityQuote(nonce), (error) => {
      assert.ok(error instanceof NonceTooLongError);
      assert.equal(error.length, 64);
      return true;
    });
  });
  await t.step("the TPM blames the size of something else", async () => {
    lab.bare.refuse(CODES.quote, 0x2d5);
    await assert.rejects(lab.attester.identityQuote(nonce), TpmError);
  });
  lab.bare.mux.intercept = undefined;
  await t.step("64 bytes pass on this TPM", async () => {
    const quote = await lab.attester.identityQuote(nonce);
    assert.equal(lab.verified(quote).nonce, nonce);
  });
  await t.step("its bytes count, not its characters", async () => {
    lab.bare.refuse(CODES.quote, 0x1d5);
    await assert.rejects(
      lab.attester.identityQuote("é".repeat(30)),
      (error) => error instanceof NonceTooLongError && error.length === 60,
    );
  });
});

Deno.test("Attestation answers many at once, each with its own quote", async () => {
  await using lab = await AttestationLab.make({ files: { ima: "10 a\n" } });
  const numbers = Array.from({ length: 16 }, (_, n) => n);
  const commands = await lab.bare.during(async () => {
    const quotes = await Promise.all(numbers.map(async (n) => {
      const nonce = `nonce${n}`;
      if (n % 2 === 0) return await lab.attester.identityQuote(nonce);
      const request = { nonce, mask: maskOf(10), imaEntry: 0 };
      return (await lab.attester.integrityEvidence(request)).quote;
    }));
    const verified = quotes.map((quote) => lab.verified(quote));
    assert.deepEqual(
      verified.map(({ nonce }) => nonce),
      numbers.map((n) => `nonce${n}`),
    );
    const clocks = verified.map(({ clock }) => clock);
    assert.equal(new Set(clocks).size, 16);
    assert.deepEqual(clocks, clocks.toSorted((a, b) => a < b ? -1 : 1));
  });
  assert.equal(commands.filter((name) => name === EXTEND).length, 1);
});

Deno.test("Attestation goes on after a quote that failed", async () => {
  await using lab = await AttestationLab.make();
  lab.bare.refuse(CODES.quote, 0x101);
  await assert.rejects(lab.attester.identityQuote(NONCE), /TPM_RC_FAILURE/);
  lab.bare.mux.intercept = undefined;
  lab.verified(await lab.attester.identityQuote(NONCE));
});

Deno.test("onQuote is told of quotes and of what kept them from being made", async () => {
  await using lab = await AttestationLab.make();
  const request = { nonce: NONCE, mask: 1 << 10, imaEntry: 0 };
  await lab.attester.identityQuote(NONCE);
  await lab.attester.integrityEvidence(request);
  lab.bare.refuse(CODES.quote, 0x101);
  await assert.rejects(lab.attester.identityQuote(NONCE));
  await assert.rejects(lab.attester.integrityEvidence(request));
  lab.bare.refuse(CODES.quote, 0x1d5);
  await assert.rejects(lab.attester.identityQuote(NONCE), NonceTooLongError);
  assert.deepEqual(
    lab.outcomes.map((failure) => failure instanceof TpmError),
    [false, false, true, true],
  );
});

import assert from "node:assert/strict";
import fc from "fast-check";
import {
  parseTcti,
  type Tcti,
  TctiError,
} from "../../../tpm/transport/tcti.ts";

function device(path: string): Tcti {
  return { kind: "device", path };
}

function tcp(hostname: string, port: number): Tcti {
  return { kind: "swtpm", address: { transport: "tcp", hostname, port } };
}

function unix(path: string): Tcti {
  return { kind: "swtpm", address: { transport: "unix", path } };
}

Deno.test("parseTcti() knows the syntax of tpm2-tss", async (t) => {
  const rows: readonly [string, Tcti][] = [
    ["device", device("/dev/tpmrm0")],
    ["device:", device("/dev/tpmrm0")],
    ["device:/dev/tpm0", device("/dev/tpm0")],
    ["device:/dev/odd:name=1,x", device("/dev/odd:name=1,x")],
    ["swtpm", tcp("127.0.0.1", 2321)],
    ["swtpm:", tcp("127.0.0.1", 2321)],
    ["swtpm:port=1", tcp("127.0.0.1", 1)],
    ["swtpm:host=::1", tcp("::1", 2321)],
    ["swtpm:host=tpm.example,port=65535", tcp("tpm.example", 65535)],
    ["swtpm:port=2322,host=localhost", tcp("localhost", 2322)],
    ["swtpm:path=/run/tpm", unix("/run/tpm")],
    ["swtpm:path=/run/a=b", unix("/run/a=b")],
  ];
  for (const [text, want] of rows) {
    await t.step(text, () => assert.deepEqual(parseTcti(text), want));
  }
});

Deno.test("parseTcti() refuses everything else", async (t) => {
  const rows: readonly string[] = [
    "",
    ":",
    "none",
    "Device:/dev/tpm0",
    " device:/dev/tpm0",
    "/dev/tpm0",
    "tabrmd:",
    "mssim:host=127.0.0.1,port=2321",
    "swtpm:2321",
    "swtpm:,",
    "swtpm:port=1,",
    "swtpm:port",
    "swtpm:port=",
    "swtpm:host=",
    "swtpm:path=",
    "swtpm:=2321",
    "swtpm:Port=2321",
    "swtpm:user=root",
    "swtpm:port=0",
    "swtpm:port=65536",
    "swtpm:port=-1",
    "swtpm:port=+1",
    "swtpm:port=1.0",
    "swtpm:port=0x911",
    "swtpm:port=2e3",
    "swtpm:port= 2321",
    "swtpm:port=2321\n",
    "swtpm:port=Infinity",
    "swtpm:port=1,port=2",
    "swtpm:host=a,host=b",
    "swtpm:path=/a,path=/b",
    "swtpm:path=/a,port=2321",
    "swtpm:host=a,path=/a",
  ];
  for (const text of rows) {
    await t.step(JSON.stringify(text), () => {
      assert.throws(() => parseTcti(text), TctiError);
    });
  }
});

Deno.test("parseTcti() says what it was given and what it takes", () => {
  assert.throws(
    () => parseTcti("tabrmd:\n\u001b[31m"),
    new TctiError(
      'Environment variable TCTI is "tabrmd:\\n\\u001b[31m"; accepted are ' +
        '"device:/dev/tpmrm0", "swtpm:host=HOST,port=PORT" and ' +
        '"swtpm:path=SOCKET"',
    ),
  );
});

Deno.test("parseTcti() never repeats a long text", () => {
  assert.throws(() => parseTcti("x".repeat(10_000)), (error) => {
    assert.ok(error instanceof TctiError);
    assert.ok(error.message.length < 300);
    return true;
  });
});

Deno.test("parseTcti() gives a TCTI or a TctiError for any text", () => {
  const part = fc.constantFrom(
    "swtpm",
    "device",
    ":",
    ",",
    "=",
    "host",
    "port",
    "path",
    "2321",
    "\0",
  );
  const text = fc.oneof(
    fc.string(),
    fc.array(part, { maxLength: 12 }).map((parts) => parts.join("")),
  );
  fc.assert(fc.property(text, (input) => {
    try {
      const tcti = parseTcti(input);
      assert.match(tcti.kind, /^device$|^swtpm$/);
    } catch (error) {
      assert.ok(error instanceof TctiError, String(error));
    }
  }));
});

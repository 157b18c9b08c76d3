"""Bad files: one clear line that says what, where and what to do; nothing half done is left."""
import os
import re
import subprocess
import tempfile

from cgwlab import awsxml, plan
from cgwlab.gateway import program
from cgwlab.plan import Options
from harness import check, scenario

KEYS = {number: awsxml.new_key() for number in plan.TUNNELS}


@scenario("a configuration with errors is refused with file and line, a good one is accepted", lab=False)
def bad_configuration(build):
    with tempfile.TemporaryDirectory() as folder:
        good = imported(build, folder)
        check(cgwd_check(build, good).returncode == 0, f"the imported file is refused: {cgwd_check(build, good).stderr}")
        with open(good) as file:
            lines = file.read().splitlines()
        for number in (1, len(lines) // 2, len(lines)):
            broken = lines[:number - 1] + ["neighbr 1.2.3.4 bogus"] + lines[number - 1:]
            path = os.path.join(folder, "broken.conf")
            with open(path, "w") as file:
                file.write("\n".join(broken) + "\n")
            done = cgwd_check(build, path)
            check(done.returncode != 0, f"an unknown command on line {number} is accepted")
            check(re.search(rf"broken\.conf:{number}\b", done.stderr), f"line {number} is not named: {done.stderr}")
            check("neighbr" in done.stderr, f"the wrong word is not shown: {done.stderr}")
            check(not done.stdout.strip(), f"the error is on stdout: {done.stdout}")
        missing = cgwd_check(build, os.path.join(folder, "missing.conf"))
        check(missing.returncode != 0 and "missing.conf" in missing.stderr, f"a missing file: {missing.stderr}")


@scenario("cgwd does not start on a secrets file that others may read", lab=False)
def open_secrets(build):
    with tempfile.TemporaryDirectory() as folder:
        good = imported(build, folder)
        secrets = os.path.join(folder, "secrets")
        check(os.stat(secrets).st_mode & 0o777 == 0o600, f"import wrote secrets with mode {os.stat(secrets).st_mode:o}")
        os.chmod(secrets, 0o644)
        done = cgwd_check(build, good)
        check(done.returncode != 0 and "secrets" in done.stderr, f"secrets for everybody: {done.stderr}")
        check(all(key not in done.stderr for key in KEYS.values()), "a key is in the error")


@scenario("a malformed, truncated, DTD-carrying or oversized XML is refused in one clear line", lab=False)
def bad_xml(build):
    good = awsxml.customer_gateway_xml(Options(), KEYS)
    first_inside = plan.TUNNEL[1].inside_customer
    cases = {
        "empty": "",
        "truncated": good[:len(good) // 2],
        "malformed": good.replace("</ike>", "</ikke>", 1),
        "dtd": good.replace("?>\n", '?>\n<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]>\n', 1),
        "oversized": good + "<!-- " + "x" * (2 << 20) + " -->",
        "not AWS's": '<?xml version="1.0"?>\n<html><body>Sign in</body></html>\n',
        "no tunnels": re.sub(r"(?s)  <ipsec_tunnel>.*</ipsec_tunnel>\n", "", good),
        "bad address": good.replace(first_inside, "169.254.10.999"),
        "text": "Amazon Web Services\nVirtual Private Cloud\n",
        "binary": "\x00\x01\x02<vpn_connection>",
    }
    with tempfile.TemporaryDirectory() as folder:
        for name, text in cases.items():
            refuse(build, folder, name, text)
        done = import_aws(build, os.path.join(folder, "none.xml"), os.path.join(folder, "none.conf"))
        check(done.returncode != 0 and "none.xml" in done.stderr, f"a file that is not there: {done.stderr}")


def refuse(build, folder, name, text):
    path, out = os.path.join(folder, "aws.xml"), os.path.join(folder, "out.conf")
    with open(path, "w") as file:
        file.write(text)
    done = import_aws(build, path, out)
    said = done.stdout + done.stderr
    check(done.returncode != 0, f"{name}: accepted")
    check("aws.xml" in done.stderr, f"{name}: the file is not named: {said[:300]}")
    check(0 < len(done.stderr.strip().splitlines()) <= 3, f"{name}: {len(done.stderr.splitlines())} lines: {said[:300]}")
    check(not os.path.exists(out), f"{name}: a configuration is left behind")
    check(not os.path.exists(os.path.join(folder, "secrets")), f"{name}: a secrets file is left behind")
    check(all(key not in said for key in KEYS.values()), f"{name}: a key is in the output")


def imported(build, folder):
    xml, out = os.path.join(folder, "good.xml"), os.path.join(folder, "good.conf")
    with open(xml, "w") as file:
        file.write(awsxml.customer_gateway_xml(Options(), KEYS))
    done = import_aws(build, xml, out)
    check(done.returncode == 0, f"import refuses AWS's file: {done.stderr}")
    check(all(key not in done.stdout + done.stderr for key in KEYS.values()), "import prints a key")
    with open(out) as file:
        check(all(key not in file.read() for key in KEYS.values()), "a key is in the configuration")
    return out


def import_aws(build, xml, out):
    return ended(program(build, "cgwsh"), "import", "aws", xml, "local-network", plan.LAN_NETWORK, "--output", out)


def cgwd_check(build, path):
    return ended(program(build, "cgwd"), "--check", "-f", path)


def ended(*command):
    return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=20, check=False)

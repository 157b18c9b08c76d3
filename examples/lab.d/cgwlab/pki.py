"""Certificates of a lab, as AWS Private CA gives them: a root, a subordinate CA, and one for each side of each tunnel."""
import datetime
import os

from . import plan
from .shell import run, write

KINDS = ("rsa-2048", "rsa-4096", "ecdsa-256", "ecdsa-384")

_SETTINGS = """[req]
distinguished_name = none
[none]
[root]
basicConstraints = critical,CA:TRUE
keyUsage = critical,keyCertSign,cRLSign
subjectKeyIdentifier = hash
[sub]
basicConstraints = critical,CA:TRUE,pathlen:0
keyUsage = critical,keyCertSign,cRLSign
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
[end]
basicConstraints = CA:FALSE
keyUsage = digitalSignature
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
[ca]
default_ca = issuing
[issuing]
dir = {directory}
database = $dir/index.txt
serial = $dir/serial
new_certs_dir = $dir
certificate = $dir/sub.pem
private_key = $dir/sub.key
default_md = sha256
default_crl_days = 7
policy = any
unique_subject = no
x509_extensions = end
[any]
organizationName = optional
commonName = supplied
"""


class Pki:
    def __init__(self, directory, kind):
        self.directory = directory
        self.kind = kind

    def path(self, name):
        return os.path.join(self.directory, name)

    def text(self, name):
        with open(self.path(name)) as file:
            return file.read()

    @staticmethod
    def identity(party):
        return f"O=Lab, CN={party}.lab"

    def create(self):
        """All of it. The root's key is a small one; RSA-4096 keys take their time."""
        write(self.path("settings"), _SETTINGS.format(directory=self.directory))
        write(self.path("index.txt"), "")
        write(self.path("serial"), "1001\n")
        self._root("root", "Lab Root CA")
        self._key("sub", self.kind)
        self._request("sub", "Lab Subordinate CA")
        run("openssl", "x509", "-req", "-in", self.path("sub.csr"), "-CA", self.path("root.pem"), "-CAkey",
            self.path("root.key"), "-set_serial", "2", "-days", "1000", "-sha256", "-extfile", self.path("settings"),
            "-extensions", "sub", "-out", self.path("sub.pem"))
        for party in ("cgw", *(f"vgw{number}" for number in plan.TUNNELS)):
            self._key(party, self.kind)
            self.issue(party)
        write(self.path("cgw-chain.pem"), self.text("cgw.pem") + self.text("sub.pem"))
        write(self.path("ca.pem"), self.text("root.pem") + self.text("sub.pem"))

    def issue(self, party, days=300):
        """A new certificate on the party's key; days below zero: it has expired by then."""
        self._request(party, f"{party}.lab")
        now = datetime.datetime.now(datetime.timezone.utc)
        begin, end = now - datetime.timedelta(days=30), now + datetime.timedelta(days=days)
        run("openssl", "ca", "-batch", "-notext", "-config", self.path("settings"), "-in", self.path(f"{party}.csr"),
            "-startdate", begin.strftime("%Y%m%d%H%M%SZ"), "-enddate", end.strftime("%Y%m%d%H%M%SZ"),
            "-out", self.path(f"{party}.pem"))

    def revoke(self, party):
        run("openssl", "ca", "-config", self.path("settings"), "-revoke", self.path(f"{party}.pem"))

    def write_crl(self):
        run("openssl", "ca", "-config", self.path("settings"), "-gencrl", "-out", self.path("crl.pem"))

    def foreign_root(self):
        """The file of a CA that nobody here has a certificate of."""
        self._root("foreign", "Foreign Root CA")
        return self.path("foreign.pem")

    def rows(self, number, **other):
        """The lines of cgwd's tunnel block."""
        files = {"certificate": self.path("cgw-chain.pem"), "private-key": self.path("cgw.key"),
                 "ca-certificate": self.path("ca.pem"), **other}
        return [f"{word} {file}" for word, file in files.items()] + [
            f"remote-identity dn {self.identity(f'vgw{number}')}"]

    def _root(self, name, common_name):
        self._key(name, "ecdsa-256")
        run("openssl", "req", "-x509", "-new", "-key", self.path(f"{name}.key"), "-subj", f"/O=Lab/CN={common_name}",
            "-days", "2000", "-sha256", "-config", self.path("settings"), "-extensions", "root",
            "-out", self.path(f"{name}.pem"))

    def _key(self, name, kind):
        algorithm, size = kind.split("-")
        how = (("RSA", "-pkeyopt", f"rsa_keygen_bits:{size}") if algorithm == "rsa"
               else ("EC", "-pkeyopt", f"ec_paramgen_curve:P-{size}"))
        write(self.path(f"{name}.key"), run("openssl", "genpkey", "-quiet", "-algorithm", *how), mode=0o600)

    def _request(self, name, common_name):
        run("openssl", "req", "-new", "-key", self.path(f"{name}.key"), "-subj", f"/O=Lab/CN={common_name}",
            "-config", self.path("settings"), "-out", self.path(f"{name}.csr"))

"""Programs that only read, with the options that keep it so (data).

Options that write, run programs, or read files named inside other files are left out, and so asked about.
"""

from harness.permissions.bash.options import Spec

READERS: dict[str, Spec] = {
    "ls": Spec(
        "aAbBcCdfFgGhHiklLmnNopqQrRsStuUvxXZ1I:w:T:",
        "all almost-all author escape block-size= color? directory classify? file-type format= full-time "
        "group-directories-first no-group human-readable si dereference hide= hyperlink? indicator-style= inode "
        "ignore= kibibytes numeric-uid-gid literal hide-control-chars show-control-chars quote-name "
        "quoting-style= reverse recursive size sort= time= time-style= tabsize= width= zero help version",
        free=True, deep="R", implicit=True,
    ),
    "cat": Spec("AbeEnstTuv", "show-all number-nonblank show-ends number squeeze-blank show-tabs show-nonprinting "
                "help version", free=True),
    "head": Spec("n:c:qvz", "lines= bytes= quiet silent verbose zero-terminated help version", free=True, digits=True),
    "tail": Spec("n:c:qvzfFs:", "lines= bytes= quiet silent verbose zero-terminated follow? retry pid= "
                 "sleep-interval= max-unchanged-stats= help version", free=True, digits=True),
    "wc": Spec("clmLw", "bytes chars lines max-line-length words total= help version", free=True),
    "stat": Spec("Lfc:t", "dereference file-system cached= format= printf= terse help version", free=True),
    "du": Spec("0aAbcd:hHkDlLmPsSt:xB:", "null all apparent-size bytes total max-depth= human-readable "
               "dereference-args count-links dereference no-dereference si summarize separate-dirs threshold= "
               "time? time-style= one-file-system block-size= inodes exclude= help version",
               free=True, deep="*", implicit=True),
    "df": Spec("aBhHiklPTx:t:", "all block-size= human-readable si inodes local no-sync portability total type= "
               "print-type exclude-type= output? help version", free=True),
    "grep": Spec("EFGPe:ivyxwhHnqscLlom:abTuzZA:B:C:rRID:d:",
                 "extended-regexp fixed-strings basic-regexp perl-regexp regexp= ignore-case no-ignore-case "
                 "invert-match word-regexp line-regexp count color? colour? files-without-match "
                 "files-with-matches max-count= only-matching quiet silent no-messages byte-offset with-filename "
                 "no-filename label= line-number initial-tab null null-data after-context= before-context= "
                 "context= text binary-files= devices= directories= exclude= exclude-dir= include= recursive "
                 "dereference-recursive line-buffered binary help version",
                 operands="pattern", free=True, digits=True, deep="rRd"),
    "rg": Spec("e:ivFPwxnNclLoqsSuUA:B:C:m:g:t:T:IHaj:r:Md:0p.",
               "regexp= ignore-case invert-match fixed-strings pcre2 word-regexp line-regexp line-number "
               "no-line-number count count-matches files-with-matches files-without-match only-matching quiet "
               "smart-case case-sensitive unrestricted multiline multiline-dotall after-context= before-context= "
               "context= max-count= glob= iglob= type= type-not= no-filename with-filename text threads= replace= "
               "max-columns= max-depth= null pretty hidden no-ignore no-ignore-vcs no-heading heading color= json "
               "stats sort= sortr= files type-list trim column vimgrep passthru no-messages no-config version help",
               operands="pattern", deep="*", implicit=True),
    "diff": Spec("qsy" "ctuiEbwBZadNprTU:C:W:x:I:F:",
                 "normal brief report-identical-files side-by-side width= left-column suppress-common-lines "
                 "show-c-function show-function-line= label= expand-tabs initial-tab recursive new-file "
                 "unidirectional-new-file ignore-case ignore-tab-expansion ignore-trailing-space "
                 "ignore-space-change ignore-all-space ignore-blank-lines ignore-matching-lines= text "
                 "strip-trailing-cr minimal speed-large-files color? unified? context? exclude= help version",
                 free=True, digits=True, deep="r"),
    "cmp": Spec("bi:ln:s", "print-bytes ignore-initial= verbose bytes= silent quiet help version", free=True),
    "sort": Spec("bdfgiMhnRrVcCmsuzk:t:S:", "ignore-leading-blanks dictionary-order ignore-case "
                 "general-numeric-sort ignore-nonprinting month-sort human-numeric-sort numeric-sort random-sort "
                 "reverse sort= version-sort check? merge stable unique zero-terminated key= field-separator= "
                 "buffer-size= parallel= debug help version"),
    "uniq": Spec("cdDiuzf:s:w:", "count repeated all-repeated? skip-fields= group? ignore-case skip-chars= unique "
                 "zero-terminated check-chars= help version", most=1),
    "cut": Spec("b:c:d:f:nsz", "bytes= characters= delimiter= fields= complement only-delimited "
                "output-delimiter= zero-terminated help version", free=True),
    "tr": Spec("cCdst", "complement delete squeeze-repeats truncate-set1 help version", operands="text", free=True),
    "nl": Spec("b:d:f:h:i:l:n:ps:v:w:", "body-numbering= section-delimiter= footer-numbering= header-numbering= "
               "line-increment= join-blank-lines= number-format= no-renumber number-separator= "
               "starting-line-number= number-width= help version", free=True),
    "rev": Spec("", "help version", free=True),
    "tac": Spec("brs:", "before regex separator= help version", free=True),
    "paste": Spec("d:sz", "delimiters= serial zero-terminated help version", free=True),
    "comm": Spec("123z", "check-order nocheck-order output-delimiter= total zero-terminated help version", free=True),
    "fold": Spec("bsw:", "bytes spaces width= help version", free=True),
    "column": Spec("txs:c:o:N:R:", "table separator= output-separator= help version", free=True),
    "md5sum": Spec("bt", "binary text tag help version", free=True),
    "sha1sum": Spec("bt", "binary text tag help version", free=True),
    "sha256sum": Spec("bt", "binary text tag help version", free=True),
    "sha512sum": Spec("bt", "binary text tag help version", free=True),
    "cksum": Spec("", "help version", free=True),
    "od": Spec("A:j:N:S:t:vw?abcdfilosx", "address-radix= skip-bytes= read-bytes= format= output-duplicates "
               "help version", free=True),
    "hexdump": Spec("bcCdn:os:vx", "help version", free=True),
    "strings": Spec("adft:n:e:", "all print-file-name radix= bytes= encoding= help version", free=True, digits=True),
    "file": Spec("bEiIkLhNnrsSv0F:", "brief mime mime-type mime-encoding keep-going dereference no-dereference "
                 "no-pad raw separator= help version"),
    "tree": Spec("adfilpsughDFqNQrtcUL:P:I:vnCAS", "dirsfirst filesfirst noreport du si prune matchdirs gitignore "
                 "ignore-case inodes device metafirst charset= filelimit= timefmt= sort= help version",
                 deep="*", implicit=True, attached=False),
    "readlink": Spec("femnqsvz", "canonicalize canonicalize-existing canonicalize-missing no-newline zero help "
                     "version", free=True),
    "realpath": Spec("emLPqsz", "canonicalize-existing canonicalize-missing logical physical quiet no-symlinks zero "
                     "help version", free=True),
    "basename": Spec("as:z", "multiple suffix= zero help version", operands="text", free=True),
    "dirname": Spec("z", "zero help version", operands="text", free=True),
    "echo": Spec("neE", operands="echo", free=True),
    "pwd": Spec("LP", operands="none", free=True),
    "true": Spec("", operands="text", free=True),
    "false": Spec("", operands="text", free=True),
    ":": Spec("", operands="echo", free=True),
    "seq": Spec("f:s:w", "format= separator= equal-width help version", operands="text"),
    "sleep": Spec("", operands="text", free=True),
    "which": Spec("as", "all", operands="text", free=True),
    "type": Spec("afptP", operands="text", free=True),
    "whoami": Spec("", "help version", operands="none", free=True),
    "id": Spec("agGnruz", "user group groups name real zero help version", operands="text", free=True),
    "groups": Spec("", operands="text", free=True),
    "tty": Spec("s", operands="none", free=True),
    "arch": Spec("", operands="none", free=True),
    "nproc": Spec("", "all ignore= help version", operands="none", free=True),
    "uptime": Spec("psV", "pretty since version", operands="none", free=True),
    "free": Spec("bkmghltVwsc:", "bytes kibi mebi gibi tebi human si lohi total wide version", operands="none",
                 free=True),
    "uname": Spec("asnrvmpio", "all kernel-name nodename kernel-release kernel-version machine processor "
                  "hardware-platform operating-system help version", operands="none", free=True),
    "hostname": Spec("fsdiIA", "fqdn long short domain ip-address all-ip-addresses all-fqdns", operands="none"),
    "date": Spec("uRI?d:", "utc universal rfc-email iso-8601? rfc-3339= date= help version", operands="date"),
    "cal": Spec("13jymw", operands="text"),
}  # fmt: skip

#!/usr/bin/env bash
# Build llama.cpp's server from the source distribution of llama-cpp-python, which carries it whole.
# usage: build.sh DIR (has venv/ with requirements.txt; DIR/llama-server and DIR/templates/ are made). About 5 minutes
# on two cores. JOBS and NICE in the environment: how many compilers at once (2), how nice they are (19).
set -euo pipefail
release=llama-cpp-python==0.3.36
dir=$(cd "$1" && pwd)
export PATH="$dir/venv/bin:$PATH"
work="$dir/llama.cpp"

rm -rf "$work" && mkdir -p "$work"
pip download --quiet --disable-pip-version-check --no-deps --no-binary llama-cpp-python --dest "$work" "$release"
tar -xzf "$work"/llama_cpp_python-*.tar.gz -C "$work" --strip-components=1

# Only the server, with nothing that it could fetch or find on this machine. O1: half the time of O2, and fast enough.
nice -n "${NICE:-19}" cmake -G Ninja -S "$work/vendor/llama.cpp" -B "$work/build" -DCMAKE_BUILD_TYPE=Release \
  -DCMAKE_CXX_FLAGS_RELEASE=-O1 -DBUILD_SHARED_LIBS=OFF -DLLAMA_BUILD_TESTS=OFF -DLLAMA_BUILD_EXAMPLES=OFF \
  -DLLAMA_BUILD_APP=OFF -DLLAMA_OPENSSL=OFF -DLLAMA_USE_PREBUILT_UI=OFF -DGGML_OPENMP=OFF >"$work/cmake.log"
nice -n "${NICE:-19}" ninja -C "$work/build" -j "${JOBS:-2}" llama-server >"$work/ninja.log"

rm -rf "$dir/templates" && cp -r "$work/vendor/llama.cpp/models/templates" "$dir/templates"
strip -o "$dir/llama-server" "$work/build/bin/llama-server"
rm -rf "$work"

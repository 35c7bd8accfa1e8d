# FER Lab in a container. CPU by default; for a GPU: docker build --build-arg TORCH=cuda .
# Build argument DEMO=1 (the default) makes the finished runs that a hosted demo shows while the image is built.
# BASE by its digest gives the same base for ever: docs/deploy.md says how to look it up.
ARG BASE=python:3.11.11-slim-bookworm
FROM ${BASE}

ENV PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    PIP_NO_CACHE_DIR=1 \
    PIP_DISABLE_PIP_VERSION_CHECK=1 \
    FER_HOME=/var/lib/fer

RUN useradd --create-home --uid 1000 fer \
    && install --directory --owner=fer --group=fer /var/lib/fer

WORKDIR /srv/fer

# PyTorch first, in a layer of its own: it changes seldom and weighs most. Its CPU build lies on an index of its own,
# whose files the lock doesn't know; the CUDA build is what PyPI has.
ARG TORCH=cpu
COPY requirements.txt locks/torch.txt locks/app.txt ./
RUN case "$TORCH" in \
      cpu) pip install --no-deps --index-url https://download.pytorch.org/whl/cpu \
             $(grep -E '^torch(vision)?==' requirements.txt) ;; \
      cuda) pip install --no-deps --require-hashes -r torch.txt ;; \
      *) echo "TORCH must be cpu or cuda, got $TORCH" >&2; exit 1 ;; \
    esac
RUN pip install --no-deps --require-hashes -r app.txt

COPY --chown=root:root . .
# Here, for whoever runs it can't write beside it, and every process would compile it anew.
RUN python -m compileall -q fer_core

USER 1000
ARG DEMO=1
RUN if [ "$DEMO" = "1" ]; then FER_DEVICE=cpu python -m fer_core demo --prepare; fi

# A container is a demo unless told otherwise (FER_DEMO=0): the full app asks nobody who they are without sign-in.
ENV FER_DEMO=1
EXPOSE 8501
VOLUME ["/var/lib/fer"]
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s --retries=3 \
    CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:8501/_stcore/health', timeout=4)"]

# A demo (FER_DEMO=1) starts no worker; otherwise the same process starts one beside the dashboard.
ENTRYPOINT ["python", "-m", "fer_core"]
CMD ["serve", "--address", "0.0.0.0", "--port", "8501"]

